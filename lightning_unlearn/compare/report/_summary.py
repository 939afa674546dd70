"""What a comparison has found: plain values, as they stand in `report.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightning_unlearn.compare.report._cell import Cell, Evaluation, Kind, Seeds
from lightning_unlearn.compare.report._spread import Spread

__all__ = [
    "Cell",
    "Comparison",
    "Evaluation",
    "Failure",
    "Paired",
    "Request",
    "Row",
    "Seeds",
    "Settings",
    "Spread",
]

FORMAT = "lightning-unlearn comparison report 1"


@dataclass(frozen=True)
class Paired:
    """Average gap minus that of a control with the same settings, original seed and unlearning seed, in points.

    Attributes:
        mean: over pairs; negative where the row is closer to retraining than its control.
        deviation: standard deviation over pairs; `None` for one pair.
        pairs: how many there are.
        closer: in how many of them the row is closer.
    """

    mean: float
    deviation: float | None
    pairs: int
    closer: int


@dataclass(frozen=True)
class Failure:
    """A cell without numbers.

    Attributes:
        seeds: of the cell.
        reason: the last line of its error.
    """

    seeds: Seeds
    reason: str


@dataclass(frozen=True)
class Distance:
    """One cell's average gap.

    Attributes:
        seeds: of the cell.
        gap: in points.
    """

    seeds: Seeds
    gap: float


@dataclass(frozen=True)
class Row:
    """One strategy, or one control, over its cells.

    Attributes:
        name: of the strategy or the control, with the letter of its settings if there are several.
        kind: what it is.
        strategy: `class_path` and `init_args`; `None` where nothing is unlearned.
        settings: letter of its settings; `None` where nothing is unlearned.
        cells: how many have numbers.
        failed: those that have none.
        missing: seeds that other rows have a cell for, and this one has none.
        forget_accuracy: share in [0, 1]; `None` without a cell, as all that follow.
        retain_accuracy: share in [0, 1].
        test_accuracy: share in [0, 1].
        membership: probability in [0, 1]; one half is chance.
        mia_efficacy: share in [0, 1].
        average_gap: to the mean of the retrained models, in points; of a retrained model to the mean of the others.
        gaps: the same of each cell.
        rank: by the mean average gap, 1 is closest; `None` for retraining, and where a cell has failed or is missing.
        beside_fine_tuning: average gap minus that of retain fine-tuning; `None` without a pair.
        beside_ascent: average gap minus that of plain ascent; `None` without a pair.
        steps: optimiser steps.
        steps_to_target: of the cells that reached it.
        reached: how many cells reached the target; `None` where nobody looked.
        collapsed: how many cells were stopped because the retain accuracy fell too low.
        seconds: of unlearning, or of retraining.
        seconds_to_target: of the cells that reached it.
        share_of_retraining: seconds as a share of the mean seconds of retraining.
    """

    name: str
    kind: Kind
    strategy: Mapping[str, Any] | None
    settings: str | None
    cells: int
    failed: Sequence[Failure]
    missing: Sequence[Seeds]
    forget_accuracy: Spread | None
    retain_accuracy: Spread | None
    test_accuracy: Spread | None
    membership: Spread | None
    mia_efficacy: Spread | None
    average_gap: Spread | None
    gaps: Sequence[Distance]
    rank: int | None
    beside_fine_tuning: Paired | None
    beside_ascent: Paired | None
    steps: Spread | None
    steps_to_target: Spread | None
    reached: int | None
    collapsed: int
    seconds: Spread | None
    seconds_to_target: Spread | None
    share_of_retraining: Spread | None


@dataclass(frozen=True)
class Settings:
    """What strategies and their controls have in common while they unlearn.

    Attributes:
        letter: how rows name it.
        values: steps, batch sizes, arguments of the model and of the monitor.
    """

    letter: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """One thing that had to be forgotten.

    Attributes:
        name: of the request.
        rows: strategies from the closest to the furthest, then the controls.
        references: how many retrained models there are.
        settings: by letter.
        findings: what the numbers say, in sentences.
        lacks: what is missing, and what cannot be said without it.
    """

    name: str
    rows: Sequence[Row]
    references: int
    settings: Sequence[Settings]
    findings: Sequence[str]
    lacks: Sequence[str]


@dataclass(frozen=True)
class Comparison:
    """Strategies beside retraining and beside doing nothing.

    Attributes:
        requests: by name.
        absent: how many cells of the comparison are not there; 0 where nobody said how many there should be.
        versions: of the packages that made the cells; several if they were made by several.
        cells: every cell, as its file has it.
        format: name and version of the format.
    """

    requests: Sequence[Request]
    absent: int
    versions: Sequence[Mapping[str, Any]]
    cells: Sequence[Cell]
    format: str = FORMAT
