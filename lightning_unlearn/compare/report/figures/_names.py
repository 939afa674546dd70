"""Names beside points, with a line to the point where they are not next to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.style import context
from matplotlib.textpath import TextPath

from lightning_unlearn.compare.report.figures._placing import Box, nearest, place_names
from lightning_unlearn.rendering import FAINT, INK, any_script

SIZE = 8.0  # points
_LEADER = 6.5  # points: a name that is nearer needs no line


@dataclass(frozen=True)
class Named:
    """A point with its name, and how far its error bars go, in data coordinates."""

    text: str
    x: float
    y: float
    low: tuple[float, float]
    high: tuple[float, float]
    bold: bool = False


def write_names(figure: Figure, axes: Axes, named: Sequence[Named], blocked: Sequence[Box] = ()) -> None:
    """Write the names once the axes have their place; the user's own settings of Matplotlib do not count.

    Args:
        figure: laid out already.
        axes: with limits.
        named: the points.
        blocked: boxes in data coordinates that no name may cover, beside markers and error bars.
    """
    if not named:
        return
    points = [_points(figure, axes, one.x, one.y) for one in named]
    bars: list[Box] = []
    for one, (x, y) in zip(named, points, strict=True):
        (left, bottom), (right, top) = (_points(figure, axes, *corner) for corner in (one.low, one.high))
        bars += [
            (x - 5, y - 5, x + 5, y + 5),
            (left, y - 1.5, right, y + 1.5),
            (x - 1.5, bottom, x + 1.5, top),
        ]
    bars += [(*_points(figure, axes, *box[:2]), *_points(figure, axes, *box[2:])) for box in blocked]
    sides = (axes.bbox.x0, axes.bbox.y0, axes.bbox.x1, axes.bbox.y1)
    left, bottom, right, top = (72 / figure.dpi * side for side in sides)
    area = (left + 2, bottom + 2, right - 2, top - 2)
    with context("default"):
        boxes = place_names(points, [_size(one) for one in named], bars, area)
        for one, point, box in zip(named, points, boxes, strict=True):
            end = nearest(box, point)
            line = {"arrowstyle": "-", "color": FAINT, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4}
            axes.annotate(
                one.text,
                xy=(one.x, one.y),
                xytext=(box[0] + 1 - point[0], (box[1] + box[3]) / 2 - point[1]),
                textcoords="offset points",
                ha="left",
                va="center_baseline",
                fontsize=SIZE,
                fontweight="bold" if one.bold else "normal",
                color=INK,
                parse_math=False,
                zorder=5,
            )
            if math.dist(end, point) > _LEADER:
                axes.annotate(
                    "",
                    xy=(one.x, one.y),
                    xytext=(end[0] - point[0], end[1] - point[1]),
                    textcoords="offset points",
                    arrowprops=line,
                    zorder=1.5,
                )


def _points(figure: Figure, axes: Axes, x: float, y: float) -> tuple[float, float]:
    """A place in the figure, in points."""
    there = np.asarray(axes.transData.transform((x, y))) * 72 / figure.dpi
    return float(there[0]), float(there[1])


def _size(one: Named) -> tuple[float, float]:
    if not one.text.strip():
        return 3.0, SIZE * 1.35
    font = FontProperties(family="DejaVu Sans", weight="bold" if one.bold else "normal")
    with any_script():
        path = TextPath((0, 0), one.text.replace("$", "S"), size=SIZE, prop=font)
    return float(path.get_extents().width) + 3, SIZE * 1.35
