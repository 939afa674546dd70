"""What all figures share: size, colours, panels, direct labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

Array = NDArray[np.float64]

# after Okabe and Ito, darkened so that they can be read as text on white
FORGET, UNSEEN, RETAIN = "#c44e00", "#0066a8", "#007a58"
INK, FAINT = "#222222", "#757575"

WIDTH = 525 / 72  # inches: 700 pixels
_RIGHT, _BOTTOM, _TOP = 0.14, 0.5, 0.62

matplotlib.rcParams.update(
    {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
        "font.size": 8.5,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "axes.labelsize": 8.5,
        "axes.linewidth": 0.8,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "lines.linewidth": 1.6,
        "svg.fonttype": "none",
        "svg.hashsalt": "lightning-unlearn",
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
    }
)


def panels(
    columns: int,
    *,
    height: float = 2.6,
    left: float = 0.55,
    gap: float = 0.5,
    ratios: Sequence[float] | None = None,
) -> tuple[Figure, list[Axes]]:
    """A figure of `columns` panels side by side; `height`, `left` margin and `gap` between two are in inches."""
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    grid = figure.add_gridspec(1, columns, width_ratios=ratios, **_edges(height, columns, left, gap))
    return figure, [figure.add_subplot(grid[0, column]) for column in range(columns)]


def rows_and_panel(rows: int, *, height: float = 3.4, ratio: float = 1.2) -> tuple[Figure, list[Axes], Axes]:
    """A figure of `rows` narrow panels with one x-axis on the left and a high panel on the right."""
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    edges = _edges(height, 2, 0.15, 0.75)
    outer = figure.add_gridspec(1, 2, width_ratios=[ratio, 1], **edges)
    inner = outer[0, 0].subgridspec(rows, 1, hspace=0.75)
    left = [figure.add_subplot(inner[0, 0])]
    left += [figure.add_subplot(inner[row, 0], sharex=left[0]) for row in range(1, rows)]
    for axes in left[:-1]:
        axes.tick_params(labelbottom=False)
    return figure, left, figure.add_subplot(outer[0, 1])


def head(axes: Axes, title: str, value: str) -> None:
    """Above a panel: what it shows, and under that, bold, the number."""
    for text, points, weight in ((title, 20, "normal"), (value, 7, "bold")):
        axes.annotate(text, (0, 1), xytext=(0, points), **_OFFSET, weight=weight, fontsize=9)


def note(
    axes: Axes, x: float, y: float, text: str, colour: str = INK, *, ha: str = "left", data: bool = False
) -> None:
    """Lines of text in the panel, the first at (x, y): shares of the panel, or `data` coordinates."""
    # a text of its own for every line: of several, viewers with another font would lose the alignment
    for number, line in enumerate(text.split("\n")):
        coordinates = "data" if data else "axes fraction"
        offset = {"xytext": (0, -11 * number), "textcoords": "offset points"}
        axes.annotate(line, (x, y), xycoords=coordinates, color=colour, ha=ha, va="center", **offset)


def hist(axes: Axes, values: Sequence[float] | Array, edges: ArrayLike, colour: str) -> None:
    """A histogram whose heights say nothing but where the values are: no y-axis."""
    weights = np.full(len(values), 1 / len(values))
    axes.hist(values, edges, weights=weights, histtype="stepfilled", alpha=0.35, color=colour)
    axes.hist(values, edges, weights=weights, histtype="step", color=colour, linewidth=1)
    axes.spines.left.set_visible(False)
    axes.set_yticks([])


def mark(axes: Axes, *, x: float | None = None, y: float | None = None, colour: str = INK) -> None:
    """A dashed line: a target, a threshold, a chance level."""
    if x is not None:
        axes.axvline(x, color=colour, linewidth=1, dashes=(4, 3))
    if y is not None:
        axes.axhline(y, color=colour, linewidth=1, dashes=(4, 3))


def number(value: Tensor | float) -> float:
    """A metric's value with three decimals, so that the last bits of a float32 do not move a point."""
    return round(float(value), 3)


def tensor(values: ArrayLike) -> Tensor:
    """What the metrics take."""
    return torch.from_numpy(np.asarray(values, dtype=np.float64))


def save(figure: Figure, path: Path) -> None:
    """Write an SVG that has the same bytes every time: no date, fixed identifiers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None, "Title": path.stem})


_OFFSET = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}


def _edges(height: float, columns: int, left: float, gap: float) -> dict[str, float]:
    inner = (WIDTH - left - _RIGHT - gap * (columns - 1)) / columns
    return {
        "left": left / WIDTH,
        "right": 1 - _RIGHT / WIDTH,
        "bottom": _BOTTOM / height,
        "top": 1 - _TOP / height,
        "wspace": gap / inner,
    }
