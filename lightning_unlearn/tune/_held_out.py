"""How far an unlearned model is from what can be said without a retrained one: the forget set beside data never seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.utils.data import DataLoader
from typing_extensions import override

from lightning_unlearn.compare._evaluate import Answers, answers, kept
from lightning_unlearn.compare._job import CellJob
from lightning_unlearn.errors import UnlearningError
from lightning_unlearn.predictions import Predict

NUMBERS = ("forget_accuracy", "forget_target", "separation", "retain_accuracy", "test_accuracy")


class FromHeldOut:
    """`100 / 3 · (|a_f − t| + s + |a_t − a₀|)`, in points.

    `a_f` is the accuracy on the forget set, `t` what it should be: 0 where whole classes are forgotten, else the accuracy of the
    same model on data never seen. `s = |2 AUC − 1|`, where AUC is the probability that a forget sample has a lower loss
    than an unseen sample of the same kind. Unseen samples are those of the test set, weighted so that they have each label as
    often as the forget set (see :func:`likeness`). `a_t` is the test accuracy, of classes that are retained, and `a₀` the original's.

    Example:
        >>> numbers = {"forget_accuracy": 0.9, "forget_target": 0.8, "separation": 0.1, "test_accuracy": 0.8}
        >>> round(FromHeldOut()(numbers, {"test_accuracy": 0.9}), 9)
        10.0
    """

    def __call__(self, numbers: Mapping[str, float], original: Mapping[str, float]) -> float:
        parts = (
            abs(numbers["forget_accuracy"] - numbers["forget_target"]),
            numbers["separation"],
            abs(numbers["test_accuracy"] - original["test_accuracy"]),
        )
        return float(100 * np.mean(parts))


@dataclass(frozen=True)
class HeldOutJob(CellJob):
    """A cell that is measured against held-out data."""

    @override
    def measured(
        self, module: LightningModule, loaders: Mapping[str, DataLoader[Any]], predict: Predict | None
    ) -> list[dict[str, Any]]:
        return [{"seed": 1, **beside_unseen(module, loaders, predict)}]


def beside_unseen(
    module: LightningModule, loaders: Mapping[str, DataLoader[Any]], predict: Predict | None
) -> dict[str, float]:
    """The numbers that `FromHeldOut` needs, and the retain accuracy.

    Args:
        module: on the device where it is evaluated; is put into eval mode.
        loaders: of the sides `forget`, `retain`, `test`; each sample once.
        predict: as everywhere in the package.

    Returns:
        By name, in [0, 1]: accuracies on the forget set, on the retain set, and on test data of what is retained; the accuracy
        that the forget set should have; the separation.

    Raises:
        UnlearningError: an answer is not finite, or there is no unseen sample of the kind.
    """
    module.eval()
    sides = {name: answers(module, name, loaders[name], predict) for name in ("forget", "retain", "test")}
    forget, test = sides["forget"], sides["test"]
    weights = likeness(forget.labels, test.labels)
    if not weights.any():
        raise UnlearningError(
            "The test set must have samples of the kind that is forgotten, found none: without a retrained model, they say how "
            "the forget set should look. Add some, or train references."
        )
    return {
        "forget_accuracy": float(forget.right.mean()),
        "forget_target": 0.0 if _is_whole(sides) else float(np.average(test.right, weights=weights)),
        "separation": separation(forget.gap, test.gap, weights),
        "retain_accuracy": float(sides["retain"].right.mean()),
        "test_accuracy": float(kept(sides).right.mean()),
    }


def likeness(forget: Tensor, unseen: Tensor) -> NDArray[np.float64]:
    """Weights with which unseen samples have each label as often as the forget set has it.

    Args:
        forget: labels of the forget set, shape (N,), or (N, ...) where a sample has several.
        unseen: labels of unseen samples, shape (M,) or (M, ...).

    Returns:
        Shape (M,), at least 0. All 1 where a sample has several labels. Labels that no unseen sample has are left out.

    Example:
        >>> likeness(torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1, 1, 2])).tolist()
        [3.0, 0.5, 0.5, 0.0]
    """
    if forget.ndim != 1:
        return np.ones(len(unseen))
    labels, places = np.unique(unseen.numpy(), return_inverse=True)
    often = np.array([int((forget == int(label)).sum()) for label in labels], dtype=np.float64)
    weights: NDArray[np.float64] = (often / np.bincount(places, minlength=len(labels)))[places]
    return weights


def separation(forget: Tensor, unseen: Tensor, weights: NDArray[np.float64]) -> float:
    """`|2 AUC − 1|`: 0 if the two groups of scores cannot be told apart by a threshold, 1 if they lie apart altogether.

    Args:
        forget: scores, shape (N,).
        unseen: scores, shape (M,).
        weights: of the unseen samples, shape (M,), at least 0, not all 0.

    Example:
        >>> both = torch.tensor([1.0, 2.0])
        >>> separation(both, both, np.ones(2)), separation(torch.ones(3), torch.zeros(2), np.ones(2))
        (0.0, 1.0)
    """
    is_forget = np.repeat([1, 0], [len(forget), len(unseen)])
    scores = torch.cat([forget, unseen]).double().numpy()
    area = roc_auc_score(is_forget, scores, sample_weight=np.concatenate([np.ones(len(forget)), weights]))
    return float(abs(2 * area - 1))


def _is_whole(sides: Mapping[str, Answers]) -> bool:
    """Whether whole classes are forgotten."""
    forget, retain = sides["forget"].labels, sides["retain"].labels
    return forget.ndim == 1 and not bool(torch.isin(forget, retain).any())
