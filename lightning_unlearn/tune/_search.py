"""A search as a whole: what it is about, what it is measured by, and its trials so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lightning_unlearn.tune._trial import Trial


@dataclass(frozen=True)
class Baseline:
    """What trials are measured by.

    Attributes:
        against: `"retraining"`, or `"held-out data"` where there is no retrained model.
        numbers: names of what is measured, in the order of tables; shares in [0, 1].
        original: mean numbers of the originals, before unlearning.
        distance: mean distance of the originals, in points: that of doing nothing.
        retrained: mean numbers of the retrained models; `None` without.
        floor: mean distance of a retrained model to the others, in points; `None` without at least two.
    """

    against: Literal["retraining", "held-out data"]
    numbers: Sequence[str]
    original: Mapping[str, float]
    distance: float
    retrained: Mapping[str, float] | None
    floor: float | None


@dataclass(frozen=True)
class Search:
    """What is searched, and what was found.

    Attributes:
        about: all that the trials depend on, in plain values, by what it is of.
        baseline: what trials are measured by.
        defaults_inside: whether the strategy as it is lies in the search space.
        trials: in their order.
        format: name and version of the format of its file.
    """

    about: Mapping[str, Any]
    baseline: Baseline
    defaults_inside: bool
    trials: Sequence[Trial]
    format: Literal["lightning-unlearn search 1"] = "lightning-unlearn search 1"

    @property
    def request(self) -> str:
        """The name of what is forgotten."""
        return str(self.about["request"]["name"])

    @property
    def strategy(self) -> str:
        """The name of the class."""
        return str(self.about["entry"]["strategy"]["class_path"]).rpartition(".")[2]

    @property
    def names(self) -> list[str]:
        """Of what is varied."""
        return [str(parameter["name"]) for parameter in self.about["space"]]
