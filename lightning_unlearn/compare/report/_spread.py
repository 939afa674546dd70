"""Mean and standard deviation, and how much of it comes from which seed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Point:
    """One number of one cell.

    Attributes:
        model: seed of the original, or of the retraining.
        unlearning: seed of the unlearning; `None` where nothing is unlearned.
        value: the number.
        evaluations: the same from each evaluation alone; empty where it does not depend on an evaluation.
    """

    model: int | None
    unlearning: int | None
    value: float
    evaluations: Sequence[float] = ()


@dataclass(frozen=True)
class Spread:
    """A number over the cells of a row. Every standard deviation has n − 1 below; `None` where n is 1.

    Attributes:
        mean: over cells.
        deviation: standard deviation over cells.
        count: how many cells.
        over_models: standard deviation over the seeds of the original (of the retraining) of means over unlearning seeds.
        over_unlearnings: over unlearning seeds of one original, pooled over originals.
        over_evaluations: over evaluation seeds of one cell, pooled over cells.
    """

    mean: float
    deviation: float | None
    count: int
    over_models: float | None
    over_unlearnings: float | None
    over_evaluations: float | None


def spread(points: Iterable[Point]) -> Spread | None:
    r"""Mean and spread of the cells; `None` if there is no cell.

    With :math:`x_{ijk}` from original i, unlearning j, evaluation k and a dot for a mean: `over_models` is the standard
    deviation of :math:`x_{i\cdot\cdot}`; `over_unlearnings` is
    :math:`\sqrt{\sum_{ij} (x_{ij\cdot} - x_{i\cdot\cdot})^2 / \sum_i (n_i - 1)}`, and `over_evaluations` accordingly.
    Nothing is subtracted: the first contains what the latter two leave of themselves in a mean.

    Args:
        points: one a cell.

    Example:
        >>> found = spread([Point(1, 1, 1.0), Point(1, 2, 3.0), Point(2, 1, 5.0), Point(2, 2, 7.0)])
        >>> (found.mean, round(found.over_models, 3), round(found.over_unlearnings, 3), found.over_evaluations)
        (4.0, 2.828, 1.414, None)
    """
    found = list(points)
    if not found:
        return None
    by_model: dict[int | None, list[float]] = {}
    for point in found:
        by_model.setdefault(point.model, []).append(point.value)
    values = [point.value for point in found]
    return Spread(
        float(np.mean(values)),
        _pooled([values]),
        len(values),
        _pooled([[float(np.mean(of)) for of in by_model.values()]]),
        _pooled(list(by_model.values())),
        _pooled([point.evaluations for point in found]),
    )


def _pooled(groups: Sequence[Sequence[float]]) -> float | None:
    """Standard deviation within groups."""
    there = [np.asarray(group) - group[0] for group in groups if len(group)]  # equal numbers: exactly 0
    freedom = sum(len(group) - 1 for group in there)
    if freedom < 1:
        return None
    return float(np.sqrt(sum(np.sum((group - group.mean()) ** 2) for group in there) / freedom))
