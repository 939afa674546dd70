"""One trial of a search: what was tried, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WORST = 100.0  # points: no distance is larger


@dataclass(frozen=True)
class Trial:
    """What was tried, and what came of it.

    Attributes:
        number: 0 is what the configuration says without the search.
        values: of the parameters, by name.
        distance: that is minimised, in points, 0 to 100; `None` if the trial failed.
        violation: by how much the retain accuracy is below what it must be, in points, 0 to 100; 0 if it is not.
        numbers: means over the originals, by name, for tables.
        by_original: the distance for each original, in the order of their seeds.
        seconds: of unlearning, mean over the originals; `None` if the trial failed.
        error: why it failed; `None` if it did not.
    """

    number: int
    values: Mapping[str, Any]
    distance: float | None
    violation: float
    numbers: Mapping[str, float]
    by_original: Sequence[float]
    seconds: float | None
    error: str | None

    @property
    def counts_as(self) -> float:
        """The distance that a search learns from: a trial that failed is as far away as can be."""
        return WORST if self.distance is None else self.distance

    @property
    def is_feasible(self) -> bool:
        """Whether it could be chosen."""
        return self.distance is not None and self.violation <= 0.0


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The trial with the smallest distance among those that could be chosen, the first of equals; `None` if there is none."""
    chosen = [trial for trial in trials if trial.is_feasible]
    return min(chosen, key=lambda trial: (trial.counts_as, trial.number), default=None)


def ordered(trials: Sequence[Trial]) -> list[Trial]:
    """Best first: those that could be chosen by distance, then the others by how far they are from that, failures last."""
    return sorted(trials, key=lambda t: (t.distance is None, t.violation, t.counts_as, t.number))
