"""How far a number might have been elsewhere with other samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm, t

from lightning_unlearn.audit._report import Estimate, Seeds
from lightning_unlearn.audit._statistics import Array

_DRAWS = 400


def share(right: Array, level: float) -> Estimate:
    """Share of ones, with Wilson's interval."""
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(level, method="wilson")
    return Estimate(float(right.mean()), float(interval.low), float(interval.high))


def mean(values: Array, level: float, bounds: tuple[float | None, float | None] = (None, None)) -> Estimate:
    """Mean, with the normal interval, cut at what is possible."""
    value = float(values.mean())
    if len(values) < 2 or not np.isfinite(values).all():
        return Estimate(value)
    half = float(norm.ppf((1 + level) / 2)) * float(values.std(ddof=1)) / math.sqrt(len(values))
    low, high = bounds
    return Estimate(
        value,
        value - half if low is None else max(low, value - half),
        value + half if high is None else min(high, value + half),
    )


class RocDraws:
    """The ROC curve of a score, and those of bootstrap draws of both groups (percentile intervals).

    Drawing with replacement is giving each sample a weight, so that the scores are sorted once.

    Args:
        members: scores, shape (N,).
        others: scores, shape (M,).
        level: of the intervals.
        seed: of the draws.
    """

    def __init__(self, members: Array, others: Array, level: float, seed: int) -> None:
        thresholds, place = np.unique(np.concatenate([members, others]), return_inverse=True)
        self._places = [place[: len(members)], place[len(members) :]]
        self._steps, self._level = len(thresholds), level
        self.tpr, self.fpr = self._curve([None, None])
        self._seed = seed

    def _curve(self, draws: Sequence[NDArray[np.int64] | None]) -> tuple[Array, Array]:
        rates = []
        for places, draw in zip(self._places, draws, strict=True):
            kept = places if draw is None else places[draw]
            counts = np.bincount(kept, minlength=self._steps)[::-1]
            rates.append(np.concatenate([[0.0], np.cumsum(counts) / len(places)]))
        return rates[0], rates[1]

    def auc(self) -> Estimate:
        """Area under the curve."""
        return self._estimate(lambda tpr, fpr: float(np.diff(fpr) @ (tpr[1:] + tpr[:-1])) / 2)

    def advantage(self) -> Estimate:
        """Largest difference of the rates."""
        return self._estimate(lambda tpr, fpr: float((tpr - fpr).max()))

    def tpr_at(self, rate: float) -> Estimate:
        """Largest true positive rate at a false positive rate of at most `rate`."""
        return self._estimate(lambda tpr, fpr: float(tpr[fpr <= rate * (1 + 1e-9)].max()))

    def _estimate(self, of: Callable[[Array, Array], float]) -> Estimate:
        generator = np.random.default_rng(
            self._seed
        )  # drawn again for each: curves of many samples fill the memory
        draws = ([generator.integers(len(p), size=len(p)) for p in self._places] for _ in range(_DRAWS))
        drawn = np.quantile(
            [of(*self._curve(draw)) for draw in draws], [(1 - self._level) / 2, (1 + self._level) / 2]
        )
        return Estimate(of(self.tpr, self.fpr), float(drawn[0]), float(drawn[1]))


def over_seeds(values: list[float], level: float) -> Seeds | None:
    """What references come to: the interval is where one more should lie."""
    if not values:
        return None
    numbers = np.asarray(values, dtype=np.float64)
    middle, count = float(numbers.mean()), len(numbers)
    if count < 2 or not np.isfinite(numbers).all():
        return Seeds(count, middle, None, None, None)
    half = float(t.ppf((1 + level) / 2, count - 1) * numbers.std(ddof=1) * math.sqrt(1 + 1 / count))
    gaps = np.abs(numbers[:, None] - numbers)[np.triu_indices(count, 1)]
    return Seeds(count, middle, middle - half, middle + half, float(gaps.mean()))
