"""The numbers that the figures show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lightning_unlearn.audit._numbers import Evidence
from lightning_unlearn.audit._report import Curves
from lightning_unlearn.audit._statistics import Array
from lightning_unlearn.audit._table import SCORES, SideScores

_BINS = 30
_POINTS = 200
_DOTS = 1000


def curves(evidence: Evidence, models: Sequence[str]) -> Curves:
    """All of them, small enough for a file: histograms, curves of at most 200 points, at most 1000 dots a side.

    Args:
        evidence: what was measured.
        models: names of the models, in their order.
    """
    held_out = [side for side in (evidence.test, evidence.unseen) if side is not None]
    sides = {
        "forget": evidence.forget,
        "retain": evidence.retain,
        "test": evidence.test,
        "unseen": evidence.unseen,
    }
    there = {name: side for name, side in sides.items() if side is not None}
    edges = _edges(there, models)
    shown = held_out if evidence.unseen is not evidence.test else held_out[:1]
    return Curves(
        classes=tuple(range(evidence.forget.classes)),
        accuracy_by_class={
            model: _by_class(shown or [evidence.retain, evidence.forget], model) for model in models
        },
        loss_edges=tuple(edges.tolist()),
        loss_counts={
            name: {model: _counts(-side.column(model, "log-likelihood"), edges) for model in models}
            for name, side in there.items()
        },
        roc=_roc(evidence, models),
        scatter={name: _dots(side) for name, side in there.items() if name in ("forget", "unseen")},
    )


def _by_class(sides: Sequence[SideScores], model: str) -> tuple[float | None, ...]:
    labels = np.concatenate([side.labels for side in sides])
    right = np.concatenate([side.column(model, "correctness") for side in sides])
    return tuple(
        float(right[labels == label].mean()) if (labels == label).any() else None
        for label in range(sides[0].classes)
    )


def _edges(sides: Mapping[str, SideScores], models: Sequence[str]) -> Array:
    losses = np.concatenate([-side.column(m, "log-likelihood") for side in sides.values() for m in models])
    highest = float(np.quantile(losses, 0.999))
    edges: Array = np.concatenate([[0.0], np.geomspace(1e-3, max(highest, 1.0), _BINS - 1), [np.inf]])
    return edges


def _counts(losses: Array, edges: Array) -> tuple[int, ...]:
    return tuple(np.histogram(losses.clip(edges[0], edges[-1]), edges)[0].tolist())


def _roc(evidence: Evidence, models: Sequence[str]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    if evidence.unseen is None:
        return {}
    return {
        score: {
            model: roc_points(evidence.forget.column(model, score), evidence.unseen.column(model, score))
            for model in models
        }
        for score in SCORES
    }


def roc_points(members: Array, others: Array) -> list[tuple[float, float]]:
    """False and true positive rates, from (0, 0) to (1, 1), thinned out evenly on a logarithmic axis."""
    thresholds = np.unique(np.concatenate([members, others]))[::-1]
    tpr = 1 - np.searchsorted(np.sort(members), thresholds) / len(members)
    fpr = 1 - np.searchsorted(np.sort(others), thresholds) / len(others)
    points = np.concatenate([[[0.0, 0.0]], np.stack([fpr, tpr], 1)])
    if len(points) > _POINTS:
        corners = np.geomspace(1, len(points), _POINTS).round().astype(int) - 1
        points = points[np.unique(corners)]
    return [(float(x), float(y)) for x, y in points]


def _dots(side: SideScores) -> list[tuple[float, float]]:
    pair = [side.column(model, "log-likelihood")[:_DOTS] for model in ("original", "unlearned")]
    return [(float(x), float(y)) for x, y in zip(*pair, strict=True)]
