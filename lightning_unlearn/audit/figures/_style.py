"""One look for all figures: who has which colour, line and marker, and how a figure becomes inline SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.style import context

from lightning_unlearn.audit._report import AuditReport

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
_LONGEST = 28  # letters of a name in a legend; the table has all of them


@dataclass(frozen=True)
class Look:
    """How one model is drawn; no two kinds of models share a line or a marker, so that colour is never alone."""

    label: str
    colour: str
    line: str | tuple[int, tuple[float, ...]]
    marker: str
    width: float
    filled: bool


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


def looks(report: AuditReport, names: Iterable[str]) -> dict[str, Look]:
    """A look for each of the names, in the order of the report's models."""
    roles = {model.name: model.role for model in report.models}
    order = [*roles, *sorted(set(names) - set(roles))]
    count = sum(role == "reference" for role in roles.values())
    found, variants = {}, 0
    for name in (name for name in order if name in set(names)):
        role = roles.get(name, "variant")
        if role == "original":
            found[name] = Look(_short(name), ORIGINAL, (0, (5, 2)), "s", 1.8, filled=False)
        elif role == "unlearned":
            found[name] = Look(_short(name), UNLEARNED, "-", "o", 2.2, filled=True)
        elif role == "reference":
            label = "reference" if count == 1 else f"{count} references"
            found[name] = Look(label, REFERENCE, (0, (1, 1.2)), "D", 1.6, filled=True)
        else:
            colour, marker = VARIANTS[variants % 3], "^vP"[variants % 3]
            found[name] = Look(_short(name), colour, (0, (6, 2, 1, 2)), marker, 1.5, filled=False)
            variants += 1
    return found


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


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
        layout.execute(figure)
        figure.set_layout_engine("none")  # a second layout would move things by a hair


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


def svg(figure: Figure, name: str) -> str:
    """The figure as an `<svg>` element for a page: the same text for the same figure, colours as CSS variables.

    Args:
        figure: The figure.
        name: Put before every identifier in it, so that a page can hold several: letters, digits and dashes.
    """
    stream = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with context("default"), mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<style.*?</style>|<!--.*?-->|<metadata.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'font-family: [^;"]*', "font-family: var(--sans)", text)
    text = re.sub(r'font: ((?:\w+ )*[\d.]+px) [^;"]*', r"font: \1 var(--sans)", text)  # of older Matplotlib
    text = _identifiers(text, name)
    for colour, variable in COLOURS.items():
        text = text.replace(colour, f"var(--{variable})")
    text = re.sub(r"\n\s*", "\n", text)
    return re.sub(
        r'<svg.*?viewBox="([^"]*)".*?>',
        r'<svg viewBox="\1" aria-hidden="true">',
        text,
        count=1,
        flags=re.DOTALL,
    )


def _identifiers(text: str, name: str) -> str:
    """The SVG with `name` before its identifiers, without those that nothing points at or that are there already."""
    wanted = set(re.findall(r'(?:href="|url\()#([^")]+)', text))

    def once(match: re.Match[str]) -> str:
        if match[1] not in wanted:
            return ""
        wanted.remove(match[1])  # Matplotlib defines a marker again wherever it is used
        return f' id="{name}-{match[1]}"'

    return re.sub(r'((?:href="|url\()#)', rf"\1{name}-", re.sub(r' id="([^"]+)"', once, text))
