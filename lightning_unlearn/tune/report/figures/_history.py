"""The distance trial by trial."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator

from lightning_unlearn.rendering import INK, Shown, drawing
from lightning_unlearn.tune._search import Search
from lightning_unlearn.tune._trial import best_of
from lightning_unlearn.tune.report._words import points, state
from lightning_unlearn.tune.report.figures._marks import draw_levels, draw_trials, scale_distance


def history(search: Search) -> Shown:
    """Every trial in its order, and the best until then.

    Args:
        search: with its trials.
    """
    trials = search.trials
    best = np.minimum.accumulate([t.counts_as if t.is_feasible else np.inf for t in trials])
    with drawing(4.6, 3.4) as (figure, axes):
        draw_levels(axes, search)
        top = scale_distance(axes, search)
        axes.step(range(len(trials)), np.where(np.isfinite(best), best, np.nan), where="post", color=INK, linewidth=1.2, label="best so far")  # fmt: skip
        draw_trials(axes, search, {trial.number: float(trial.number) for trial in trials}, top)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(-0.6, max(len(trials) - 0.4, 0.6))
        axes.set_xlabel("trial (0: as it is)")
    found = best_of(trials)
    said = "no trial kept the retain accuracy" if found is None else (
        f"the best is trial {found.number} with {points(found.distance)} points"
    )  # fmt: skip
    return Shown(
        "history",
        "Course",
        "Distance of each trial",
        f"Distances of {len(trials)} trials in their order: {said}; nothing done: {points(search.baseline.distance)} points.",
        figure,
        ("trial", "distance (points)", "best so far", "what became of it"),
        [
            (
                str(t.number),
                points(t.distance),
                points(float(b) if np.isfinite(b) else None),
                state(t) or "kept",
            )
            for t, b in zip(trials, best, strict=True)
        ],
    )
