"""One cell of a comparison, as its file has it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

FORMAT = "lightning-unlearn cell 2"
MEASURES = ("forget_accuracy", "retain_accuracy", "test_accuracy", "membership")  # of the average gap
REPORTED = (*MEASURES, "mia_efficacy")

Kind = Literal["strategy", "fine-tuning", "ascent", "nothing", "retraining"]


@dataclass(frozen=True)
class Seeds:
    """What made the cell differ from others of its row.

    Attributes:
        original: of the training of the original; `None` for a retrained model.
        unlearning: of the unlearning; `None` where nothing is unlearned.
        reference: of a retraining; `None` for all others.
    """

    original: int | None
    unlearning: int | None
    reference: int | None


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation has measured.

    Attributes:
        seed: of the evaluation.
        forget_accuracy: share of the forget set that is classified correctly, in [0, 1].
        retain_accuracy: of the retain set.
        test_accuracy: of data never trained on; without the forgotten class where a class is forgotten.
        membership: probability that a forget sample looks more familiar than an unseen one, in [0, 1].
        mia_efficacy: share of the forget set that an attacker takes for unseen, in [0, 1].
    """

    seed: int
    forget_accuracy: float
    retain_accuracy: float
    test_accuracy: float
    membership: float
    mia_efficacy: float


@dataclass(frozen=True)
class Cell:
    """One (request, entry, original seed, unlearning seed), or one retrained model.

    Attributes:
        format: name and version of the format of a cell.
        key: SHA-256 of all that the numbers depend on.
        request: name of what had to be forgotten.
        entry: name of the strategy or control.
        kind: what it is.
        strategy: `class_path` and `init_args`; `None` where nothing is unlearned.
        settings: steps, batch sizes, arguments of the model and of the monitor; `None` where nothing is unlearned.
        controls: identifier of the settings, shared with the controls of the same settings.
        seeds: what it differs in from others of its row.
        evaluations: one for each evaluation seed; empty if and only if there is an error.
        steps: optimiser steps that were taken.
        seconds: of unlearning or, for a retrained model, of its training.
        steps_to_target: steps until the forget accuracy was at its target; `None` if it never was.
        seconds_to_target: the same in seconds.
        stopped: what ended the run before its last step, if something did.
        error: why there are no numbers; `None` if there are.
        versions: of the packages that made it.
    """

    format: Literal["lightning-unlearn cell 2"]
    key: str
    request: str
    entry: str
    kind: Kind
    strategy: Mapping[str, Any] | None
    settings: Mapping[str, Any] | None
    controls: str | None
    seeds: Seeds
    evaluations: Sequence[Evaluation]
    steps: int | None
    seconds: float | None
    steps_to_target: int | None
    seconds_to_target: float | None
    stopped: Literal["target", "collapse"] | None
    error: str | None
    versions: Mapping[str, Any]


def failure(cell: Cell) -> str | None:
    """Why the cell has no numbers, in one line; `None` if it has."""
    if cell.error is not None:
        lines = [line.strip() for line in cell.error.splitlines() if line.strip()]
        return lines[-1] if lines else "it failed without a word"
    if not cell.evaluations:
        return "it was not evaluated"
    for evaluation in cell.evaluations:
        for name in REPORTED:
            if not math.isfinite(getattr(evaluation, name)):
                return f"its {name.replace('_', ' ')} is not finite"
    return None
