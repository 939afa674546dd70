"""What every model says of every sample of a side, in an order that does not depend on the loader's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_unlearn.audit._statistics import Array
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.metrics import functional as F
from lightning_unlearn.metrics.functional._reference import (
    _activation_distances,
    _agreements,
    _js_divergences,
    _kl_divergences,
)

PerSample: TypeAlias = Mapping[str, Callable[[Tensor, Tensor], Tensor]]

SCORES: PerSample = {
    "log-likelihood": F.log_likelihood,
    "logit gap": F.logit_gap,
    "negative entropy": F.negative_entropy,
    "negative modified entropy": F.negative_modified_entropy,
    "correctness": F.correctness,
}
COMPARISONS: PerSample = {
    "PredictionAgreement": _agreements,
    "ActivationDistance": _activation_distances,
    "ReferenceJSDivergence": _js_divergences,
    "ReferenceKLDivergence": _kl_divergences,
}


_COLUMNS = ("scores", "finite", "comparisons", "features")


@dataclass(frozen=True)
class SideScores:
    """Per-sample results of one side, sorted by identifier.

    Attributes:
        identifiers: of the N samples.
        labels: shape (N,).
        classes: number of logits.
        scores: by model: shape (N, S), the columns of `SCORES`.
        finite: by model: whether the logits of each sample were finite; scores of the others are those of a uniform
            answer that is wrong.
        comparisons: by model: shape (N, 4), mean over references of the columns of `COMPARISONS`; empty without.
        features: by model: shape (n, D), of the first n samples in the order of identifiers, which is a random one.
    """

    identifiers: list[str]
    labels: NDArray[np.int64]
    classes: int
    scores: Mapping[str, Array]
    finite: Mapping[str, NDArray[np.bool_]]
    comparisons: Mapping[str, Array]
    features: Mapping[str, Array]

    def column(self, model: str, score: str) -> Array:
        """One score of all samples."""
        return self.scores[model][:, list(SCORES).index(score)]

    def compared(self, model: str, metric: str) -> Array:
        """One comparison with the references, for all samples."""
        return self.comparisons[model][:, list(COMPARISONS).index(metric)]

    def where(self, chosen: NDArray[np.bool_]) -> SideScores:
        """Some of the samples."""

        def part(columns: Mapping[str, Any]) -> dict[str, Any]:
            return {model: column[chosen[: len(column)]] for model, column in columns.items()}

        return SideScores(
            [name for name, keep in zip(self.identifiers, chosen, strict=True) if keep],
            self.labels[chosen],
            self.classes,
            part(self.scores),
            part(self.finite),
            part(self.comparisons),
            part(self.features),
        )

    def plain(self) -> dict[str, Any]:
        """As tensors and plain values, for a file."""

        def tensors(columns: Mapping[str, Any]) -> dict[str, Tensor]:
            return {model: torch.from_numpy(column) for model, column in columns.items()}

        columns = {name: tensors(getattr(self, name)) for name in _COLUMNS}
        labels = torch.from_numpy(self.labels)
        return {"identifiers": self.identifiers, "labels": labels, "classes": self.classes, **columns}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> SideScores:
        """What `plain` has made of it."""
        columns = {
            name: {model: column.numpy() for model, column in plain[name].items()} for name in _COLUMNS
        }
        return cls(plain["identifiers"], plain["labels"].numpy(), plain["classes"], **columns)

    def __len__(self) -> int:
        return len(self.identifiers)


class Rows:
    """Collects batches, and sorts them at the end.

    Args:
        max_features: how many samples' features are kept: those with the smallest identifiers, a random choice that does
            not depend on the order.
    """

    def __init__(self, max_features: int) -> None:
        self._max_features = max_features
        self._names: list[str] = []
        self._labels: list[NDArray[np.int64]] = []
        self._classes = 0
        self._columns: dict[str, dict[str, list[Any]]] = {}
        self._featured: list[str] = []

    def add(self, names: list[str], labels: Tensor, classes: int, columns: dict[str, dict[str, Any]]) -> None:
        """A batch: by name of the column, by model, a row for each sample."""
        self._names += names
        self._labels.append(labels.cpu().numpy().astype(np.int64))
        self._classes = classes
        for column, by_model in columns.items():
            for model, rows in by_model.items():
                self._columns.setdefault(column, {}).setdefault(model, []).append(rows)
        if "features" in columns:
            self._featured += names
            if len(self._featured) > 4 * self._max_features:
                self._trim()

    def sorted(self, side: str) -> SideScores:
        """All samples by identifier; of equal ones in any order, since their rows are equal.

        Raises:
            ConfigurationError: there is none.
        """
        if not self._names:
            raise ConfigurationError(f"`{side}` must hold at least one sample, found none.")
        self._trim()
        order = np.argsort(np.array(self._names), kind="stable")
        columns = {
            column: {model: np.concatenate(parts) for model, parts in by_model.items()}
            for column, by_model in self._columns.items()
        }
        features = columns.pop("features", {})
        in_order = {name: {model: rows[order] for model, rows in of.items()} for name, of in columns.items()}
        return SideScores(
            [self._names[place] for place in order],
            np.concatenate(self._labels)[order],
            self._classes,
            in_order["scores"],
            in_order["finite"],
            in_order.get("comparisons", {}),
            features,
        )

    def _trim(self) -> None:
        kept = np.argsort(np.array(self._featured), kind="stable")[: self._max_features]
        self._featured = [self._featured[place] for place in kept]
        for model, parts in self._columns.get("features", {}).items():
            self._columns["features"][model] = [np.concatenate(parts)[kept]]
