"""Accuracy and loss of a module on one side, by torchmetrics objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchmetrics import MeanMetric

from lightning_unlearn.passes import Source
from lightning_unlearn.predictions import Predict, predicted


@dataclass(frozen=True)
class Evaluation:
    """What a side comes to; the same on every process.

    Attributes:
        accuracy: share of labels predicted right, in [0, 1].
        loss: mean cross-entropy, in nats; `inf` where a prediction was not finite.
    """

    accuracy: float
    loss: float


class Evaluator:
    """Evaluates a module, as it is at the moment, on named sources.

    Args:
        module: the user's module.
        predict: a function of (module, batch) that returns logits `(N, C, ...)` and labels `(N, ...)`; `None` for
            batches `(inputs, labels)` and logits `module(inputs)`.
    """

    def __init__(self, module: LightningModule, predict: Predict | None) -> None:
        self._module = module
        self._predict = predict

    @torch.no_grad()
    def __call__(self, source: Source) -> Evaluation:
        """One pass over the source."""
        accuracy, loss = MeanMetric().to(self._module.device), MeanMetric().to(self._module.device)
        # a process without a sample takes part in the synchronisation with weight zero
        accuracy.update(0.0, weight=0.0)
        loss.update(0.0, weight=0.0)

        def visit(batch: Any) -> None:
            logits, labels = predicted(self._predict, self._module, batch)
            # the largest of NaNs is the first class: a ruined model must not be right about it
            right = (logits.argmax(dim=1) == labels) & logits.isfinite().all(dim=1)
            losses = cross_entropy(logits.float(), labels, reduction="none")
            accuracy.update(right.float())
            loss.update(losses.where(~losses.isnan(), float("inf")))  # torchmetrics would leave NaN out

        source.for_each(visit)
        return Evaluation(float(accuracy.compute()), float(loss.compute()))

    @torch.no_grad()
    def label_counts(self, source: Source) -> Tensor:
        """How often each class occurs among the labels of a source, shape `(C,)`."""

        def terms(batch: Any) -> dict[str, Tensor]:
            logits, labels = predicted(self._predict, self._module, batch)
            return {"labels": torch.bincount(labels[labels >= 0], minlength=logits.shape[1])}

        return source.sum(terms)["labels"]
