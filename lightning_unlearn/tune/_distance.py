"""Cells of one entry as one trial: how far from where it should be, and whether the rest has suffered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from lightning_unlearn.tune._search import Baseline
from lightning_unlearn.tune._trial import WORST, Trial

MEASURES = ("forget_accuracy", "retain_accuracy", "test_accuracy", "membership")


# of the numbers of a model, and of those of the original before unlearning; in points, 0 to 100
Distance: TypeAlias = Callable[[Mapping[str, float], Mapping[str, float]], float]


class FromRetraining:
    """The average gap of :func:`lightning_unlearn.metrics.functional.average_gap`, `100 / 4 · Σ |x − r|` over four measures.

    Args:
        retrained: mean numbers of the retrained models.

    Example:
        >>> retrained = dict.fromkeys(MEASURES, 0.5)
        >>> FromRetraining(retrained)({**retrained, "membership": 0.9}, {})
        10.0
    """

    def __init__(self, retrained: Mapping[str, float]) -> None:
        self._retrained = retrained

    def __call__(self, numbers: Mapping[str, float], _original: Mapping[str, float]) -> float:
        return float(100 * np.mean([abs(numbers[name] - self._retrained[name]) for name in MEASURES]))


def numbers_of(cell: Mapping[str, Any], names: Sequence[str]) -> dict[str, float]:
    """Means over the evaluations of a cell."""
    return {name: float(np.mean([one[name] for one in cell["evaluations"]])) for name in names}


def means(of: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means by name; nothing for nothing."""
    return {name: float(np.mean([one[name] for one in of])) for name in (of[0] if of else ())}


def floor_of(references: Sequence[Mapping[str, float]]) -> float | None:
    """Mean distance of each retrained model to the mean of the others; `None` without two of them."""
    if len(references) < 2:
        return None
    found = []
    for n, one in enumerate(references):
        others = means([*references[:n], *references[n + 1 :]])
        found.append(FromRetraining(others)(one, {}))
    return float(np.mean(found))


def baseline_of(
    names: Sequence[str],
    originals: Mapping[int, Mapping[str, float]],
    references: Sequence[Mapping[str, float]],
    distance: Distance,
) -> Baseline:
    """What trials are measured by.

    Args:
        names: of the numbers.
        originals: their numbers by seed.
        references: numbers of each retrained model; none without.
        distance: of a model.
    """
    return Baseline(
        "retraining" if references else "held-out data",
        names,
        means(list(originals.values())),
        float(np.mean([distance(one, one) for one in originals.values()])),
        means(references) if references else None,
        floor_of(references),
    )


def failed(number: int, values: Mapping[str, Any], error: str) -> Trial:
    """A trial without numbers, and why there are none."""
    return Trial(number, values, None, WORST, {}, (), None, error)


def trial_of(
    number: int,
    values: Mapping[str, Any],
    cells: Sequence[Mapping[str, Any]],
    originals: Mapping[int, Mapping[str, float]],
    distance: Distance,
    retain_floor: float,
) -> Trial:
    """What the cells of one entry come to.

    The distance is the mean over originals of the mean over their unlearnings. The violation is that of the worst cell:
    `100 · max(0, retain_floor · r₀ − r)`, with the retain accuracies `r₀` before and `r` after.

    Args:
        number: of the trial.
        values: of the parameters.
        cells: as their files have them; one that failed has an `error`, and so has the trial.
        originals: their numbers by seed.
        distance: of a model.
        retain_floor: share of the original's retain accuracy that must be left, in [0, 1].
    """
    errors = [cell["error"] for cell in cells if cell["error"] is not None]
    if errors:
        return failed(number, values, errors[0])
    by_original: dict[int, list[float]] = {seed: [] for seed in originals}
    violation, numbers = 0.0, []
    for cell in cells:
        seed = cell["seeds"]["original"]
        found, before = numbers_of(cell, list(originals[seed])), originals[seed]
        by_original[seed].append(distance(found, before))
        lost = retain_floor * before["retain_accuracy"] - found["retain_accuracy"]
        violation = max(violation, 100 * lost)
        numbers.append(found)
    each = [float(np.mean(of)) for of in by_original.values()]
    seconds = float(np.mean([cell["seconds"] for cell in cells]))
    return Trial(number, values, float(np.mean(each)), violation, means(numbers), each, seconds, None)
