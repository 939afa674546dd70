"""How a figure becomes a part of a page."""

from __future__ import annotations

import io
import re

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.style import context

from lightning_unlearn.rendering._style import COLOURS, any_script


def svg(figure: Figure, name: str) -> str:
    """The figure as an `<svg>` element for a page: the same text for the same figure, colours as CSS variables.

    Args:
        figure: The figure.
        name: Put before every identifier in it, so that a page can hold several: letters, digits and dashes.
    """
    stream = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with context("default"), mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}), any_script():
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
