"""The loss of each sample, by the original and by the unlearned model."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter

from lightning_unlearn.audit._report import AuditReport
from lightning_unlearn.audit._text import side
from lightning_unlearn.rendering import FAINT, UNLEARNED, Shown, drawing, number, share, slug

GROUP = "Each sample before and after"
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_SMALLEST = 1e-7  # where float32 rounds a loss to zero


def score_scatter(report: AuditReport) -> list[Shown]:
    """For each side one drawing: each sample a point, unchanged samples on the diagonal."""
    order = [record.name for record in report.sides]
    names = [name for name in order if report.curves.scatter.get(name)]
    others = sorted(
        name for name in report.curves.scatter if name not in order and report.curves.scatter[name]
    )
    return [_cloud(report, name) for name in [*names, *others]]


def _cloud(report: AuditReport, name: str) -> Shown:
    every = np.array(report.curves.scatter[name], dtype=float).reshape(-1, 2)
    points = every[np.isfinite(every).all(axis=1)]
    losses = np.maximum(-points, _SMALLEST)
    with drawing(4.2, 3.7) as (figure, axes):
        low, high = 0.6 * losses.min(initial=0.1), 1.7 * losses.max(initial=1.0)
        axes.plot(
            [low, high], [low, high], color=FAINT, linewidth=1.2, linestyle=(0, (2, 3)), label="unchanged"
        )
        axes.plot(
            *losses.T,
            linestyle="",
            marker="o",
            markersize=3.6,
            color=UNLEARNED,
            alpha=0.5,
            markeredgewidth=0,
            label="one sample",
        )
        axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("loss by the original (nats)")
        axes.set_ylabel("loss by the unlearned model (nats)")
    harder = float((points[:, 1] < points[:, 0]).mean()) if len(points) else 0.0
    missing = len(every) - len(points)
    return Shown(
        f"scatter-{slug(name)}",
        GROUP,
        f"Before and after: {side(name)}",
        f"Scatter plot of {len(every)} samples of the {side(name)}. The loss of "
        f"{share(harder)} of them is higher than it was with the original. Median loss: "
        f"original {_quantile(-points[:, 0], 0.5)}, unlearned {_quantile(-points[:, 1], 0.5)} nats.",
        figure,
        ("quantile", "loss, original (nats)", "loss, unlearned (nats)"),
        [(share(q), *(_quantile(column, q) for column in -points.T)) for q in _QUANTILES],
        "All points are in report.json."
        + (f" Not drawn: {missing} samples with an infinite loss." if missing else ""),
    )


def _quantile(values: np.ndarray, at: float) -> str:
    return number(float(np.quantile(values, at))) if len(values) else number(None)
