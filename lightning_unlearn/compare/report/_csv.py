"""The numbers of a comparison in full precision, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from lightning_unlearn.compare.report._cell import REPORTED, failure
from lightning_unlearn.compare.report._summary import Comparison, Paired, Row, Spread

_OF_CELL = ("steps", "seconds", "steps_to_target", "seconds_to_target", "stopped")
_SPREADS = (*REPORTED, "average_gap", "steps", "steps_to_target", "seconds", "seconds_to_target", "share_of_retraining")  # fmt: skip
_OVER = ("mean", "deviation", "count", "over_models", "over_unlearnings", "over_evaluations")
_PAIRS = ("beside_fine_tuning", "beside_ascent")
_OF_PAIR = ("mean", "deviation", "pairs", "closer")


def raw_csv(comparison: Comparison) -> str:
    """One line for each cell and evaluation; one without numbers for a cell that failed.

    Args:
        comparison: what was found.

    Returns:
        CSV with a head; shares are in [0, 1], and what is absent is empty.
    """
    head = ("request", "entry", "kind", "controls", "strategy", "original_seed", "unlearning_seed", "reference_seed", "evaluation_seed", *REPORTED, *_OF_CELL, "failure", "key")  # fmt: skip
    lines = []
    for cell in comparison.cells:
        strategy = "" if cell.strategy is None else json.dumps(cell.strategy, sort_keys=True, default=str)
        named = (cell.request, cell.entry, cell.kind, cell.controls, strategy)
        seeds = (cell.seeds.original, cell.seeds.unlearning, cell.seeds.reference)
        ends = (*(getattr(cell, name) for name in _OF_CELL), failure(cell), cell.key)
        for one in cell.evaluations or (None,):
            numbers = (None if one is None else getattr(one, name) for name in ("seed", *REPORTED))
            lines.append((*named, *seeds, *numbers, *ends))
    return _text(head, lines)


def summary_csv(comparison: Comparison) -> str:
    """One line for each row of the tables, with every mean and deviation in a column of its own.

    Args:
        comparison: what was found.

    Returns:
        CSV with a head; shares are in [0, 1], gaps in points.
    """
    head = [
        *("request", "row", "kind", "settings", "cells", "failed", "missing", "collapsed", "reached", "rank"),
        *(f"{field}_{part}" for field in _SPREADS for part in _OVER),
        *(f"{field}_{part}" for field in _PAIRS for part in _OF_PAIR),
    ]
    return _text(
        head, [(request.name, *_summary(row)) for request in comparison.requests for row in request.rows]
    )


def _summary(row: Row) -> list[Any]:
    def parts(of: Spread | Paired | None, names: Sequence[str]) -> list[Any]:
        return [None if of is None else getattr(of, name) for name in names]

    return [
        *(row.name, row.kind, row.settings, row.cells, len(row.failed), len(row.missing), row.collapsed),
        *(row.reached, row.rank),
        *(part for field in _SPREADS for part in parts(getattr(row, field), _OVER)),
        *(part for field in _PAIRS for part in parts(getattr(row, field), _OF_PAIR)),
    ]


def _text(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(lines)
    return stream.getvalue()
