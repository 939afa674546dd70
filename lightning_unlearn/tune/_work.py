"""The cells of a search: those that trials are measured by, and those that trials are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from lightning_unlearn.compare._ground import Ground, Planned
from lightning_unlearn.compare._job import CellJob
from lightning_unlearn.compare._models import Model
from lightning_unlearn.compare._request import Entry
from lightning_unlearn.errors import UnlearningError
from lightning_unlearn.tune._distance import (
    MEASURES,
    Distance,
    FromRetraining,
    baseline_of,
    means,
    numbers_of,
)
from lightning_unlearn.tune._evaluate import Evaluator
from lightning_unlearn.tune._held_out import NUMBERS, FromHeldOut, HeldOutJob
from lightning_unlearn.tune._search import Baseline


@dataclass(frozen=True)
class Standard:
    """What trials are measured by.

    Attributes:
        baseline: in numbers.
        originals: numbers of each original before unlearning, by seed.
        distance: of a model.
    """

    baseline: Baseline
    originals: Mapping[int, Mapping[str, float]]
    distance: Distance


@dataclass(frozen=True)
class Work:
    """The cells of a search, and the models that they need.

    Args:
        ground: of the one request.
        folder: for the cells.
    """

    ground: Ground
    folder: Path

    @property
    def models(self) -> Sequence[Model]:
        """Originals and references."""
        return [*self.ground.originals, *self.ground.references]

    @property
    def digests(self) -> dict[str, Any]:
        """Of data and models."""
        return {**self.ground.depends_on, "models": [model.key for model in self.models]}

    @property
    def base(self) -> list[CellJob]:
        """The originals as they are, and the references."""
        ground, folder = self.ground, self.folder
        nothing = (ground.cell(folder, model, "nothing", "do nothing") for model in ground.originals)
        retrained = (ground.cell(folder, model, "retraining", "retraining") for model in ground.references)
        return [self._measured(planned) for planned in (*nothing, *retrained)]

    def trial(self, number: int, entry: Entry) -> list[CellJob]:
        """The cells of a trial, one for each original and seed of the unlearning."""
        made = [
            self.ground.cell(
                self.folder, model, "strategy", f"trial {number}", entry.strategy, entry.settings, seed
            )
            for model in self.ground.originals
            for seed in self.ground.comparison.seeds.unlearning
        ]
        return [self._measured(planned) for planned in made]

    def _measured(self, planned: Planned) -> CellJob:
        job = planned.job
        if self.ground.references:
            return job
        cell = replace(job.cell, depends_on={**job.cell.depends_on, "measured": "beside held-out data"})
        return HeldOutJob(**{**{field.name: getattr(job, field.name) for field in fields(job)}, "cell": cell})


def standard_of(work: Work, evaluate: Evaluator) -> Standard:
    """Measure the originals and the references.

    Raises:
        UnlearningError: one could not be measured.
    """
    cells = evaluate(work.base)
    failed = [cell for cell in cells if cell["error"] is not None]
    if failed:
        raise UnlearningError(
            f"Originals and references must have numbers, found {len(failed)} of {len(cells)} without. The first "
            f"({failed[0]['entry']}): {failed[0]['error']}"
        )
    names = MEASURES if work.ground.references else NUMBERS
    references = [numbers_of(cell, names) for cell in cells if cell["kind"] == "retraining"]
    originals = {
        cell["seeds"]["original"]: numbers_of(cell, names) for cell in cells if cell["kind"] == "nothing"
    }
    distance = FromRetraining(means(references)) if references else FromHeldOut()
    return Standard(baseline_of(names, originals, references, distance), originals, distance)
