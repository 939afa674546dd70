"""A comparison as Markdown: the words and the numbers of the page, without its figures."""

from __future__ import annotations

from collections.abc import Iterator

from lightning_unlearn.compare.report._cell import REPORTED
from lightning_unlearn.compare.report._columns import (
    MEANINGS,
    SPREAD_WORDS,
    absent_words,
    failure_words,
    marks,
    method_rows,
    settings_words,
    spread_rows,
)
from lightning_unlearn.compare.report._format import amount, paired, percent, points, reached
from lightning_unlearn.compare.report._summary import Comparison, Request, Row
from lightning_unlearn.rendering import NONE, escaped, leaves, markdown_list, markdown_table

_QUALITY = ("strategy", "forget accuracy (%)", "retain accuracy (%)", "test accuracy (%)", "membership (%)", "MIA efficacy (%)", "average gap (points)", "rank", "minus fine-tuning", "minus ascent", "cells")  # fmt: skip
_COST = ("strategy", "steps", "steps to target", "reached", "seconds", "seconds to target", "% of retraining")
_SPREAD = (
    "strategy",
    "forget accuracy",
    "retain accuracy",
    "test accuracy",
    "membership",
    "MIA efficacy",
    "average gap",
)


def to_markdown(comparison: Comparison) -> str:
    """The comparison as GitHub's Markdown; whatever came from the user is escaped.

    Args:
        comparison: what was found.

    Returns:
        Text with a line feed at its end.
    """
    parts = ["# Comparison of unlearning strategies", *absent_words(comparison)]
    for request in comparison.requests:
        parts += _request(request)
    parts += [
        "## How to read the tables",
        "\n".join(f"- *{name}*: {escaped(text)}" for name, text in MEANINGS.items()),
        "## Versions",
        *(
            escaped(", ".join(f"{name} {value}" for name, value in leaves(of))) + "."
            for of in comparison.versions
        ),
        "The numbers of every cell and evaluation are in `report.csv` and `report.json`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _request(request: Request) -> Iterator[str]:
    yield f"## {escaped(request.name)}"
    yield markdown_list(request.findings)
    yield markdown_table(_QUALITY, [_quality(row) for row in request.rows])
    yield markdown_list([*request.lacks, *failure_words(request)])
    yield "### Steps and time"
    yield markdown_table(_COST, [_cost(row) for row in request.rows])
    yield "### Spread by source"
    yield escaped(SPREAD_WORDS)
    yield markdown_table(_SPREAD, spread_rows(request))
    yield "### Strategies and settings"
    yield markdown_table(("strategy", "class and arguments"), method_rows(request))
    yield markdown_list(settings_words(request))


def _quality(row: Row) -> list[str]:
    cells = "; ".join((str(row.cells), *(text for text, _ in marks(row))))
    pairs = (row.beside_fine_tuning, row.beside_ascent)
    return [
        row.name,
        *(percent(getattr(row, measure)) for measure in REPORTED),
        points(row.average_gap),
        str(row.rank or NONE),
        *(paired(pair) for pair in pairs),
        cells,
    ]


def _cost(row: Row) -> list[str]:
    return [
        row.name,
        amount(row.steps),
        amount(row.steps_to_target),
        reached(row),
        amount(row.seconds),
        amount(row.seconds_to_target),
        percent(row.share_of_retraining),
    ]
