"""How trials are drawn: by colour and by shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from lightning_unlearn.rendering import FAINT, ORIGINAL, REFERENCE, UNLEARNED, VARIANTS
from lightning_unlearn.tune._search import Search
from lightning_unlearn.tune._trial import Trial, best_of

_LINEAR = 5.0  # points: distances that reach further are on a scale that is logarithmic from 1 on
_TICKS = (0, 0.5, 1, 2, 5, 10, 20, 50, 100)


def draw_trials(axes: Axes, search: Search, places: Mapping[int, float], top: float) -> None:
    """Each trial at its place and distance; one that failed at the upper edge.

    Args:
        axes: to draw on.
        search: with its trials.
        places: on the horizontal axis, by the number of the trial; who has none is left out.
        top: the upper edge, in points.
    """
    best = best_of(search.trials)
    here = [trial for trial in search.trials if trial.number in places]
    _dots(axes, [t for t in here if t.is_feasible], places, "o", UNLEARNED, True, "kept the retain accuracy")
    lost = [t for t in here if t.distance is not None and not t.is_feasible]
    _dots(axes, lost, places, "s", VARIANTS[0], False, "lost too much of it")
    failed = [t for t in here if t.distance is None]
    if failed:
        axes.plot([places[t.number] for t in failed], [top] * len(failed), linestyle="", marker="x", color=ORIGINAL, markersize=6, markeredgewidth=1.6, label="failed", clip_on=False)  # fmt: skip
    if best is not None and best.number in places:
        axes.plot([places[best.number]], [best.counts_as], linestyle="", marker="o", color=UNLEARNED, fillstyle="none", markersize=12, markeredgewidth=1.6, label="best")  # fmt: skip


def _dots(
    axes: Axes,
    trials: Sequence[Trial],
    places: Mapping[int, float],
    marker: str,
    colour: str,
    filled: bool,
    label: str,
) -> None:
    if trials:
        axes.plot(
            [places[trial.number] for trial in trials],
            [trial.counts_as for trial in trials],
            linestyle="",
            marker=marker,
            color=colour,
            markersize=5.5,
            fillstyle="full" if filled else "none",
            markeredgewidth=1.2,
            label=label,
        )


def draw_levels(axes: Axes, search: Search) -> None:
    """The floor of retraining itself, and doing nothing."""
    baseline = search.baseline
    if baseline.floor is not None:
        axes.axhspan(
            0, baseline.floor, color=REFERENCE, alpha=0.18, linewidth=0, label="floor: retraining itself"
        )
    axes.axhline(baseline.distance, color=FAINT, linewidth=1.2, linestyle=(0, (5, 2)), label="nothing done")


def scale_distance(axes: Axes, search: Search) -> float:
    """Put the vertical axis to the distances, and return its upper end."""
    known = [trial.counts_as for trial in search.trials if trial.distance is not None]
    most = max(*known, search.baseline.distance, search.baseline.floor or 0.0, 0.1)
    top = 1.12 * most
    if most > _LINEAR:
        axes.set_yscale("symlog", linthresh=1.0)
        top = 1.35 * most
        axes.set_yticks([tick for tick in _TICKS if tick <= top], minor=False)
        axes.set_yticks([], minor=True)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(0, top)
    axes.set_ylabel(f"distance to {search.baseline.against} (points)")
    return top
