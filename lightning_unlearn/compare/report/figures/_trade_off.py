"""Forget accuracy against retain accuracy: what was forgotten, and what it has cost."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator

from lightning_unlearn.compare.report._format import percent
from lightning_unlearn.compare.report._summary import Request, Row, Spread
from lightning_unlearn.compare.report.figures._marks import MARKS, short
from lightning_unlearn.compare.report.figures._names import Named, write_names
from lightning_unlearn.rendering import INK, Shown, drawing

_NEAR = 6.0  # a close-up shows what is this many times nearer to retraining than the furthest row
_FEWEST = 3


def trade_off(request: Request, name: str) -> list[Shown]:
    """One drawing of all rows; a second one if most of them are in one corner of it.

    Args:
        request: with its rows.
        name: for identifiers.
    """
    rows = [row for row in request.rows if row.cells]
    if not rows:
        return []
    near = _near(rows)
    title = "Forget accuracy against retain accuracy"
    found = [_drawn(rows, near, request.name, name, title)]
    if near:
        found.append(_drawn(near, [], request.name, f"{name}-close", f"{title}: close to retraining"))
    return found


def _drawn(rows: Sequence[Row], near: Sequence[Row], request: str, name: str, title: str) -> Shown:
    points = [_named(row) for row in rows]
    with drawing(4.2, 3.5 + 0.05 * len(rows)) as (figure, axes):
        for row, at in zip(rows, points, strict=True):
            mark = MARKS[row.kind]
            axes.errorbar(
                at.x,
                at.y,
                xerr=[[at.x - at.low[0]], [at.high[0] - at.x]],
                yerr=[[at.y - at.low[1]], [at.high[1] - at.y]],
                marker=mark.marker,
                markersize=7 if row.kind != "strategy" else 6,
                markerfacecolor=mark.colour if row.kind in ("strategy", "retraining") else "none",
                markeredgecolor=mark.colour,
                markeredgewidth=1.6,
                ecolor=mark.colour,
                elinewidth=1.1,
                linestyle="",
                zorder=3,
            )
        axes.set_xlim(*_limits([x for at in points for x in (at.low[0], at.high[0])]))
        axes.set_ylim(*_limits([y for at in points for y in (at.low[1], at.high[1])]))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(
                FixedLocator([tick for tick in axis.get_majorticklocs() if -1e-9 <= tick <= 100 + 1e-9])
            )
        axes.set_xlabel("forget accuracy (%)")
        axes.set_ylabel("retain accuracy (%)")
    inside = {row.name for row in near}
    alone = [
        at for row, at in zip(rows, points, strict=True) if row.name not in inside or row.kind == "retraining"
    ]
    frame = _frame(axes, [at for row, at in zip(rows, points, strict=True) if row.name in inside])
    if frame:
        count = sum(row.kind != "retraining" for row in near)
        alone.append(Named(f"{count} in the close-up", frame[2], frame[1], frame[:2], frame[2:]))
    write_names(figure, axes, alone, [frame] if frame else [])
    return Shown(
        name,
        request,
        title,
        _alt(rows, request),
        figure,
        ("row", "forget accuracy (%)", "retain accuracy (%)"),
        [(row.name, percent(row.forget_accuracy), percent(row.retain_accuracy)) for row in rows],
        "Bars are one standard deviation over cells.",
    )


def _named(row: Row) -> Named:
    (x, left, right), (y, bottom, top) = _bar(row.forget_accuracy), _bar(row.retain_accuracy)
    words = {"nothing": "original", "retraining": "retrained"}
    bold = row.kind == "retraining"
    return Named(words.get(row.kind, short(row.name)), x, y, (left, bottom), (right, top), bold)


def _bar(of: Spread | None) -> tuple[float, float, float]:
    """Mean and both ends of the bar, in percent; a share is not below 0 nor above 1."""
    assert of is not None
    spread = of.deviation or 0.0
    return 100 * of.mean, 100 * max(of.mean - spread, 0.0), 100 * min(of.mean + spread, 1.0)


def _near(rows: Sequence[Row]) -> list[Row]:
    """The rows of a close-up, retraining among them; none if there is no need for one."""
    retrained = [row for row in rows if row.kind == "retraining"]
    if not retrained:
        return []
    centre = _named(retrained[0])
    far = {}
    for n, row in enumerate(rows):
        at = _named(row)
        far[n] = max(abs(at.x - centre.x), abs(at.y - centre.y))
    near = [rows[n] for n in far if _NEAR * far[n] <= max(far.values())]
    return near if _FEWEST < len(near) < len(rows) else []


def _limits(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = max(0.09 * (high - low), 0.3)
    return low - room, high + room


def _frame(axes: Axes, points: Sequence[Named]) -> tuple[float, float, float, float] | None:
    """A dashed frame around what the close-up shows."""
    if not points:
        return None
    left, right = _limits([x for at in points for x in (at.low[0], at.high[0])])
    bottom, top = _limits([y for at in points for y in (at.low[1], at.high[1])])
    (x_low, x_high), (y_low, y_high) = axes.get_xlim(), axes.get_ylim()
    room_x, room_y = 0.02 * (x_high - x_low), 0.02 * (y_high - y_low)
    left, right = max(left - room_x, x_low), min(right + room_x, x_high)
    bottom, top = max(bottom - room_y, y_low), min(top + room_y, y_high)
    axes.add_patch(
        Rectangle(
            (left, bottom),
            right - left,
            top - bottom,
            fill=False,
            edgecolor=INK,
            linewidth=0.8,
            linestyle=(0, (3, 2)),
            zorder=2,
        )
    )
    return left, bottom, right, top


def _alt(rows: Sequence[Row], request: str) -> str:
    each = (
        f"{row.name} {percent(row.forget_accuracy)} % and {percent(row.retain_accuracy)} %"
        for row in rows
        if row.kind != "strategy"
    )
    count = sum(row.kind == "strategy" for row in rows)
    return (
        f"Scatter plot of forget and retain accuracy for {request}: {count} strategies; "
        + "; ".join(each)
        + "."
    )
