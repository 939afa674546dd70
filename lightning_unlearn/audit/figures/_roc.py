"""ROC curves of the attacks, on log axes: what counts is how many are found without a false alarm."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter
from scipy.integrate import trapezoid

from lightning_unlearn.audit._report import AuditReport
from lightning_unlearn.audit.figures._looks import looks
from lightning_unlearn.rendering import FAINT, Shown, drawing, number, share, slug

GROUP = "Membership inference"
_AT = (0.001, 0.01, 0.1, 0.5)


def roc_curves(report: AuditReport) -> list[Shown]:
    """For each score: true against false positives at every threshold, one curve for each model."""
    return [_curve(report, score) for score in sorted(report.curves.roc)]


def _curve(report: AuditReport, score: str) -> Shown:
    curves = report.curves.roc[score]
    styles = looks(report, curves)
    points = {name: np.array(curves[name], dtype=float).reshape(-1, 2) for name in styles}
    positive = [value for of in points.values() for value in of.ravel() if value > 0]
    lowest = 10.0 ** np.clip(np.floor(np.log10(min(positive, default=1e-3))), -5, -1)
    with drawing(4.2, 3.7) as (figure, axes):
        axes.plot(
            [lowest, 1], [lowest, 1], color=FAINT, linewidth=1.2, linestyle=(0, (2, 3)), label="guessing"
        )
        for name, look in styles.items():
            false, true = points[name].T
            axes.plot(
                np.maximum(false, lowest),
                np.maximum(true, lowest),
                color=look.colour,
                linewidth=look.width,
                linestyle=look.line,
                label=look.label,
                zorder=3 if look.filled else 2,
            )
        for axis in (axes.xaxis, axes.yaxis):
            axis.axes.set(xscale="log", yscale="log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
            axis.set_minor_formatter(NullFormatter())
        axes.set_xlim(lowest, 1)
        axes.set_ylim(lowest, 1.1)
        axes.set_xlabel("unseen samples taken for members")
        axes.set_ylabel("forget samples found")
    return Shown(
        f"roc-{slug(score)}",
        GROUP,
        f"Attack by {score.replace('_', ' ')}",
        f"ROC curve of the attack by {score.replace('_', ' ')}. Forget samples found at 1 % false alarms: "
        + ", ".join(f"{name} {share(_at(points[name], 0.01))}" for name in styles)
        + "; guessing finds 1 %.",
        figure,
        ("model", "area under the curve", *(f"found at {share(rate)} false alarms" for rate in _AT)),
        [
            (name, number(_area(points[name])), *(share(_at(points[name], rate)) for rate in _AT))
            for name in styles
        ],
        "All points of the curves are in report.json.",
    )


def _at(points: np.ndarray, rate: float) -> float | None:
    """The largest true positive rate among thresholds with at most this rate of false positives."""
    found = points[points[:, 0] <= rate, 1]
    return float(found.max()) if len(found) else None


def _area(points: np.ndarray) -> float | None:
    return float(trapezoid(points[:, 1], points[:, 0])) if len(points) > 1 else None
