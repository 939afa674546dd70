"""Histograms of the loss, by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from lightning_unlearn.audit._report import AuditReport
from lightning_unlearn.audit._text import side
from lightning_unlearn.audit.figures._looks import looks
from lightning_unlearn.rendering import Shown, drawing, number, share, slug

GROUP = "Loss of each sample"


def loss_histograms(report: AuditReport) -> list[Shown]:
    """For each side: which share of its samples has which loss, one outline for each model."""
    edges = report.curves.loss_edges
    if len(edges) < 2:
        return []
    order = [record.name for record in report.sides]
    counts = report.curves.loss_counts
    names = [name for name in order if name in counts] + sorted(set(counts) - set(order))
    return [_histogram(report, name, edges) for name in names]


def _histogram(report: AuditReport, name: str, edges: Sequence[float]) -> Shown:
    counts = report.curves.loss_counts[name]
    styles = looks(report, counts)
    shares = {model: _shares(counts[model]) for model in styles}
    ends = _finite(edges)
    with drawing(4.2, 3.0) as (figure, axes):
        for model, look in styles.items():
            axes.stairs(
                [100 * value for value in shares[model]],
                ends,
                color=look.colour,
                linewidth=look.width,
                linestyle=look.line,
                label=look.label,
                zorder=3 if look.filled else 2,
            )
        _scale(axes, ends, edges)
        axes.set_ylim(0)
        axes.set_xlabel("loss of a sample (nats)")
        axes.set_ylabel("share of the samples (%)")
    return Shown(
        f"loss-{slug(name)}",
        GROUP,
        f"Loss on the {side(name)}",
        f"Histogram of the loss on the {side(name)}. Samples by the bin of the median loss: "
        + "; ".join(f"{model} {_median(shares[model], edges)}" for model in styles)
        + ".",
        figure,
        ("loss (nats)", *styles),
        [
            (f"{number(low)} to {number(high)}", *(share(shares[model][k]) for model in styles))
            for k, (low, high) in enumerate(pairwise(edges))
        ],
    )


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total if total else 0.0 for count in counts]


def _median(shares: Sequence[float], edges: Sequence[float]) -> str:
    below = 0.0
    for k, value in enumerate(shares):
        below += value
        if below >= 0.5:
            return f"{number(edges[k])} to {number(edges[k + 1])} nats"
    return "no samples"


def _finite(edges: Sequence[float]) -> list[float]:
    """Edges that can be drawn: an infinite last bin is as wide as the one before, or a tenth of the range."""
    found = list(edges)
    if math.isinf(found[-1]):
        found[-1] = found[-2] + (found[-2] - found[-3] if len(found) > 2 else 1.0)
    return found


def _scale(axes: Axes, ends: Sequence[float], edges: Sequence[float]) -> None:
    widths = [high - low for low, high in pairwise(ends)]
    if max(widths) > 3 * min(widths):
        first = next(edge for edge in ends if edge > 0)
        axes.set_xscale("symlog", linthresh=first)
        ticks = [10.0**k for k in range(-9, 7) if first <= 10.0**k <= ends[-1]]
        axes.set_xticks([0.0, *ticks[:: 1 + len(ticks) // 4]], minor=False)
        axes.set_xticks([], minor=True)
    open_end = math.isinf(edges[-1])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: "" if open_end and x >= ends[-1] else f"{x:g}"))
    axes.set_xlim(ends[0], ends[-1])
