"""The average gap of every cell, row by row, with the floor that retraining itself leaves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from lightning_unlearn.compare.report._format import fixed, points
from lightning_unlearn.compare.report._summary import Request, Row
from lightning_unlearn.compare.report.figures._marks import MARKS, short
from lightning_unlearn.rendering import FAINT, GRID, INK, NONE, REFERENCE, Shown, drawing

_LINEAR = 10.0  # points: up to here the axis is linear all along
_TICKS = (0, 0.5, 1, 2, 5, 10, 20, 50, 100)


def gap_dots(request: Request, name: str) -> list[Shown]:
    """Each row a line, each cell a dot, the mean with its standard deviation above it.

    Args:
        request: with its rows.
        name: for identifiers.
    """
    rows = [row for row in request.rows if row.average_gap or row.failed]
    if not any(row.average_gap for row in rows):
        return []
    floor = next((row.average_gap for row in rows if row.kind == "retraining"), None)
    with drawing(4.2, 1.3 + 0.34 * len(rows)) as (figure, axes):
        if floor:
            axes.axvspan(
                0, floor.mean, color=REFERENCE, alpha=0.18, linewidth=0, label="floor: retraining itself"
            )
        for y, row in enumerate(rows):
            _line(axes, y, row)
        axes.plot([], [], linestyle="", marker="o", markersize=3.2, color=FAINT, label="one cell")
        axes.plot(
            [], [], linestyle="-", marker="o", markersize=6.5, color=INK, label="mean ± standard deviation"
        )
        axes.set_yticks(range(len(rows)), [short(row.name) for row in rows])
        for label in axes.get_yticklabels():
            label.set_parse_math(False)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        _scale(axes, rows)
        axes.set_xlabel("average gap to retraining (points)")
        axes.hlines([y + 0.5 for y in range(len(rows) - 1)], *axes.get_xlim(), color=GRID, linewidth=0.8)
    return [
        Shown(
            name,
            request.name,
            "Average gap to retraining",
            _alt(rows, request.name),
            figure,
            ("row", "rank", "average gap (points)", "of each cell"),
            [
                (
                    row.name,
                    str(row.rank or NONE),
                    points(row.average_gap),
                    ", ".join(fixed(of.gap, 2) for of in row.gaps) or f"{len(row.failed)} failed",
                )
                for row in rows
            ],
        )
    ]


def _line(axes: Axes, y: int, row: Row) -> None:
    mark = MARKS[row.kind]
    if not row.average_gap:
        axes.text(0.015, y, f"failed: {len(row.failed)} of {len(row.failed)}", transform=axes.get_yaxis_transform(), va="center", fontsize=8.5, color=INK)  # fmt: skip
        return
    mean, spread = row.average_gap.mean, row.average_gap.deviation or 0.0
    gaps = [of.gap for of in row.gaps]
    lanes = y + 0.24 + 0.08 * (np.arange(len(gaps)) % 2)  # below the mean, so that it hides none of them
    axes.plot(gaps, lanes, linestyle="", marker=mark.marker, markersize=3.2, color=mark.colour, alpha=0.6, markeredgewidth=0, zorder=2)  # fmt: skip
    axes.plot([max(mean - spread, 0.0), mean + spread], [y, y], color=mark.colour, linewidth=1.4, zorder=3, solid_capstyle="butt")  # fmt: skip
    axes.plot([mean], [y], linestyle="", marker=mark.marker, markersize=6.5, color=mark.colour, zorder=4)


def _scale(axes: Axes, rows: Sequence[Row]) -> None:
    ends = [row.average_gap.mean + (row.average_gap.deviation or 0.0) for row in rows if row.average_gap]
    most = max(*ends, *(of.gap for row in rows for of in row.gaps), 0.1)
    if most > _LINEAR:
        axes.set_xscale("symlog", linthresh=1.0)
        axes.set_xticks([tick for tick in _TICKS if tick <= 1.3 * most], minor=False)
        axes.set_xticks([], minor=True)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlim(-0.03 * min(most, 1.0), 1.25 * most if most > _LINEAR else 1.05 * most)


def _alt(rows: Sequence[Row], request: str) -> str:
    each = (f"{row.name} {points(row.average_gap)}" for row in rows if row.average_gap)
    return f"Dot plot of the average gap to retraining for {request}, in points: " + ", ".join(each) + "."
