"""Words that stand beside the tables, whatever they are written in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning_unlearn.compare.report._cell import REPORTED
from lightning_unlearn.compare.report._format import fixed, listed, seeds
from lightning_unlearn.compare.report._summary import Comparison, Request, Row, Spread
from lightning_unlearn.rendering import NONE, leaves

GAP_WORDS = (
    "Average gap: mean distance to the retrained models in forget, retain and test accuracy and membership, "
    "in points. Minus: the gap minus that of the control with the same settings and seeds; below 0 is closer to "
    "retraining."
)
SPREAD_WORDS = (
    "Three standard deviations of each number, in points: over originals (of retraining: over references), of means over "
    "unlearning seeds; over the unlearning seeds of one original; over the evaluation seeds of one cell. The latter two are "
    "pooled. The first contains what they leave of themselves in a mean."
)
MEANINGS: Mapping[str, str] = {
    "forget, retain, test accuracy": "Share of right answers on the samples to be forgotten, on the rest of the training data, "
    "and on data never trained on; of the latter without the forgotten class where a class is forgotten.",
    "membership": "Probability that a forget sample looks more familiar to the model (by its logit gap) than a test sample. 50 % is "
    "chance, and what is expected where single samples are forgotten; 0 % where a class is.",
    "MIA efficacy": "Share of the forget set that an attacker takes for unseen, a support vector machine that has learned from retained "
    "and test samples, as in published tables. Not part of the gap: where these two look alike the attacker has nothing to learn, and the "
    "share is arbitrary.",
    "average gap": "Mean of the four distances to the mean of the retrained models, in points. Each number is first averaged "
    "over evaluation seeds. The gap of retraining, the floor, is that of each retrained model to the mean of the others.",
    "rank": "By the mean average gap, among strategies and controls of which no cell has failed or is missing. Neighbours whose "
    "gaps differ by less than their deviations may change places with other seeds.",
    "minus fine-tuning, minus ascent": "The average gap minus that of the control that had the same settings, the same "
    "original and the same unlearning seed; mean ± standard deviation over these pairs. Below 0: closer to retraining.",
    "±": "Standard deviation over cells, with n − 1; – where there is one cell.",
    "to target": "Steps until the forget accuracy was at its target, of the cells that reached it, and how many did.",
    "% of retraining": "Seconds of unlearning as a share of the mean seconds of retraining.",
    "do nothing": "The original model.",
    "retain fine-tuning, ascent": "The two ways that a strategy must beat: training on the retain set alone, and the forget "
    "set's loss going up alone, each with the same settings as the strategy.",
}


def absent_words(comparison: Comparison) -> list[str]:
    """How many cells are not there yet, if any.

    Args:
        comparison: what was found.
    """
    every = len(comparison.cells) + comparison.absent
    return [f"{comparison.absent} of {every} cells are not there yet."] if comparison.absent else []


def marks(row: Row) -> list[tuple[str, str]]:
    """What stands out in a row, with the colour that a terminal gives it.

    Args:
        row: of a request.
    """
    every = row.cells + len(row.failed)
    counts = (
        (f"{len(row.failed)} of {every} failed", "red", len(row.failed)),
        (f"{row.collapsed} of {every} collapsed", "red", row.collapsed),
        (f"{len(row.missing)} missing", "yellow", len(row.missing)),
    )
    return [(text, colour) for text, colour, count in counts if count]


def spread_rows(request: Request) -> list[tuple[str, ...]]:
    """For each row, of five numbers, three standard deviations: over models, unlearnings and evaluations.

    Args:
        request: with its rows.
    """
    fields = (*((measure, 100) for measure in REPORTED), ("average_gap", 1))
    return [
        (row.name, *(_sources(getattr(row, field), unit) for field, unit in fields))
        for row in request.rows
        if row.cells
    ]


def _sources(of: Spread | None, unit: int) -> str:
    if of is None:
        return NONE
    each = (of.over_models, of.over_unlearnings, of.over_evaluations)
    return " / ".join(fixed(None if value is None else unit * value, 2) for value in each)


def method_rows(request: Request) -> list[tuple[str, str]]:
    """Class and arguments of whatever unlearns.

    Args:
        request: with its rows.
    """
    return [(row.name, _method(row.strategy)) for row in request.rows if row.strategy]


def _method(strategy: Mapping[str, Any]) -> str:
    arguments = strategy.get("init_args") or {}
    said = ", ".join(f"{name} {value}" for name, value in leaves(arguments)) if arguments else ""
    return f"{strategy.get('class_path', NONE)}" + (f": {said}" if said else "")


def failure_words(request: Request) -> list[str]:
    """One sentence for each row and reason: how many cells failed, why, and which.

    Args:
        request: with its rows.
    """
    found = []
    for row in request.rows:
        reasons: dict[str, list[str]] = {}
        for of in row.failed:
            reasons.setdefault(of.reason, []).append(seeds(of.seeds))
        found += [
            f"{len(which)} of {row.cells + len(row.failed)} cells of {row.name} failed, {listed(which, '; ')}: {reason}"
            for reason, which in reasons.items()
        ]
    return found


def settings_words(request: Request) -> list[str]:
    """What the letters of settings stand for: what all have in common, then what each has of its own.

    Args:
        request: with its settings.
    """
    every = {of.letter: dict(leaves(of.values)) for of in request.settings}
    if not every:
        return []
    common = set.intersection(*(set(values.items()) for values in every.values()))
    if len(every) == 1:
        return [f"Settings: {_said(common)}."]
    return [
        *([f"Settings of all: {_said(common)}."] if common else []),
        *(f"Settings {letter}: {_said(set(values.items()) - common)}." for letter, values in every.items()),
    ]


def _said(pairs: set[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(pairs)) or "as all"
