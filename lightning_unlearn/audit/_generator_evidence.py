"""What was measured of generators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lightning_unlearn.audit._generator_options import Measure
from lightning_unlearn.audit._report import Estimate, SideRecord
from lightning_unlearn.audit._statistics import Array


@dataclass(frozen=True)
class RealImages:
    """What the classifier makes of real images.

    Attributes:
        false_alarms: share of retained ones that it takes for the class.
        found: share of those to be forgotten that it takes for the class.
        variety: trace of the covariance of the features of retained ones: the smallest Fréchet distance to them of a generator
            that makes one image only.
    """

    false_alarms: Estimate
    found: Estimate
    variety: float


@dataclass(frozen=True)
class GeneratorEvidence:
    """Everything that was measured.

    Attributes:
        prior: share of the class in the forget and the retain set.
        trials: images of each model.
        hits: by model, how many of them the classifier takes for the class.
        treated: by treatment, the same.
        fidelity: by metric, by model.
        real: images.
        measures: what was measured of each sample.
        values: by name of the measure, by side, by model: of each sample.
        finite: by model, whether all images and all values were.
        sides: the samples, for the report.
        images: for `Curves.images`.
        confidence: of the intervals.
    """

    prior: float
    trials: int
    hits: Mapping[str, int]
    treated: Mapping[str, Mapping[str, int]]
    fidelity: Mapping[str, Mapping[str, Estimate]]
    real: RealImages
    measures: Sequence[Measure]
    values: Mapping[str, Mapping[str, Mapping[str, Array]]]
    finite: Mapping[str, bool]
    sides: Sequence[SideRecord]
    images: Mapping[str, Mapping[str, str]]
    confidence: float

    def distance(self, model: str) -> Estimate:
        """Fréchet distance to the real retained images."""
        return self.fidelity["FrechetDistance"][model]

    def badness(self, measure: Measure, side: str, model: str) -> float | None:
        """Mean over a side, with the sign with which large is bad; `None` without that side."""
        values = self.values[measure.name].get(side)
        return None if values is None else measure.sign * float(np.mean(values[model]))
