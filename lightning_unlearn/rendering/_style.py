"""One look for all figures: colours, type, grid, legend."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.style import context

# Okabe and Ito's palette, which stays apart under the common colour-vision deficiencies; the page renames them, for dark mode.
INK, FAINT, GRID, PAPER = "#1f2933", "#697586", "#dfe3e8", "#fefefe"
COLOURS = {
    "#d55e01": "original",
    "#0072b3": "unlearned",
    "#00825f": "reference",
    "#a8518a": "variant-1",
    "#8a6d00": "variant-2",
    "#4b5b8c": "variant-3",
    INK: "ink",
    FAINT: "faint",
    GRID: "grid",
    PAPER: "paper",
}
ORIGINAL, UNLEARNED, REFERENCE, *VARIANTS = tuple(COLOURS)[:6]


@dataclass(frozen=True)
class Shown:
    """A figure with everything that stands beside it.

    Attributes:
        name: Short name of letters, digits and dashes, for identifiers and for the tags of loggers.
        group: Heading that it stands under.
        title: Its own title.
        alt: What it shows, in a sentence or two with the main numbers.
        figure: The drawing.
        head: Heads of the columns of its numbers.
        rows: Its numbers.
        note: What the table leaves out, if it does.
    """

    name: str
    group: str
    title: str
    alt: str
    figure: Figure
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def slug(text: str) -> str:
    """The text in small letters, with a dash for whatever has no place in an identifier."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


@contextmanager
def drawing(width: float, height: float, *, polished: bool = True) -> Iterator[tuple[Figure, Axes]]:
    """A figure of the given size in inches with one pair of axes; the user's own settings of Matplotlib do not count."""
    with context("default"):
        layout = ConstrainedLayoutEngine()
        figure = Figure(figsize=(width, height), dpi=160, layout=layout, facecolor=PAPER)
        axes = figure.add_subplot(facecolor="none")
        yield figure, axes
        if polished:
            axes.tick_params(which="both", colors=INK, length=0, labelsize=8.5)
            axes.grid(color=GRID, linewidth=0.8)
            axes.set_axisbelow(True)
            axes.spines[:].set_visible(False)
            axes.xaxis.label.set(color=INK, size=9)
            axes.yaxis.label.set(color=INK, size=9)
            legend(figure, axes)
        with any_script():
            layout.execute(figure)
        figure.set_layout_engine("none")  # a second layout would move things by a hair


@contextmanager
def any_script() -> Iterator[None]:
    """No warning of letters that Matplotlib's own font lacks: whoever shows the figure has another."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        yield


def legend(figure: Figure, axes: Axes) -> None:
    """One entry for each label, above the axes."""
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    if once:
        figure.legend(
            once.values(),
            once.keys(),
            loc="outside upper left",
            ncols=2 if len(once) == 4 or max(map(len, once)) > 18 else 3,
            frameon=False,
            fontsize=8.5,
            labelcolor=INK,
            handlelength=2.6,
            columnspacing=1.4,
            borderpad=0.1,
        )
