"""What a model does on one side."""

from __future__ import annotations

from scipy.special import log_softmax
from sklearn.metrics import accuracy_score

from lightning_unlearn.metrics import SideAccuracy, SideLoss
from lightning_unlearn.metrics import functional as F
from tests.metrics._cases import Case, classified


def _loss(logits, labels):
    return -sum(log_softmax(row)[label] for row, label in zip(logits, labels, strict=True)) / len(labels)


CASES = [
    Case(
        "side_accuracy",
        SideAccuracy,
        classified,
        F.side_accuracy,
        lambda z, y: accuracy_score(y, z.argmax(1)),
    ),
    Case("side_loss", SideLoss, classified, F.side_loss, _loss),
]
