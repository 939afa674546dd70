"""Relearning, one number for a table, and how sure a number is."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lightning_unlearn.metrics.functional import (
    anamnesis_index,
    average_gap,
    bootstrap_interval,
    membership_auc,
    relearn_time,
    tow,
)
from metric_figures.style import FAINT, FORGET, UNSEEN, Array, head, hist, mark, note, number, panels, tensor

_SIDES = ("forget", "retain", "unseen")


def relearn_time_figure() -> Figure:
    """Sooner than the retrained model: something was left. Later: it resists. One run of each says little."""
    rng = np.random.default_rng(17)
    figure, (curves, runs) = panels(2, gap=0.6, ratios=(1.25, 1))
    gold = _relearned(rng, 14)
    times = {}
    for name, pace, colour, y in (
        ("left over", 4, FORGET, 0.42),
        ("retrained", 14, UNSEEN, 0.3),
        ("resists", 30, FAINT, 0.18),
    ):
        accuracies = gold if name == "retrained" else _relearned(rng, pace)
        times[name] = relearn_time(accuracies, original=1.0)
        index = anamnesis_index(times[name], relearn_time(gold, original=1.0))
        curves.plot(accuracies, color=colour)
        curves.plot([number(times[name])], [0.95], "o", color=colour)
        note(curves, 0.98, y, f"{name}: {times[name]:.0f} steps, AIN {number(index):.2f}", colour, ha="right")
    mark(curves, y=0.95)
    curves.set(
        xlabel="steps of relearning", ylabel="accuracy on the forget set", ylim=(0, 1.05), xlim=(0, 110)
    )
    head(curves, "First step at 95 % of the original's accuracy", "target: AIN 1")

    head(runs, "The same two models, 40 seeds", "a single AIN is noise")
    gold_times = [number(relearn_time(_relearned(rng, 14 * rng.lognormal(0, 0.3)), 1.0)) for _ in range(40)]
    left = [number(relearn_time(_relearned(rng, 9 * rng.lognormal(0, 0.3)), 1.0)) for _ in range(40)]
    hist(runs, gold_times, np.linspace(0, 100, 26), UNSEEN)
    hist(runs, left, np.linspace(0, 100, 26), FORGET)
    runs.set_xlabel("relearn time")
    mean = number(anamnesis_index(np.mean(left), np.mean(gold_times)))
    note(runs, 0.98, 0.93, f"ratio of the means {mean:.2f}", ha="right")
    note(runs, 0.98, 0.78, "retrained", UNSEEN, ha="right")
    note(runs, 0.98, 0.66, "left over", FORGET, ha="right")
    return figure


def tow_figure() -> Figure:
    """Three small gaps or a large one; and one more set turns the order round."""
    figure, axes = panels(3, left=0.62, gap=0.3)
    reference = dict(zip(_SIDES, (0.9, 0.99, 0.91), strict=True))
    for panel, title, accuracies in (
        (axes[0], "Three small gaps", (0.85, 0.94, 0.86)),
        (axes[1], "One large gap", (0.75, 0.99, 0.91)),
        (axes[2], "No gap, and not the same", (0.9, 0.99, 0.91)),
    ):
        ours = dict(zip(_SIDES, accuracies, strict=True))
        head(
            panel,
            title,
            f"tow {number(tow(ours, reference)):.2f}, average_gap {number(average_gap(ours, reference)):.2f}",
        )
        _gaps(panel, list(reference.values()), accuracies)
    axes[0].set_yticks((2, 1, 0), _SIDES)
    note(axes[0], 0.03, 0.2, "| retrained", UNSEEN)
    note(axes[0], 0.03, 0.08, "● unlearned", FORGET)
    note(axes[2], 0.03, 0.2, "may be right on\nother samples", FAINT)
    return figure


def bootstrap_interval_figure() -> Figure:
    """It knows the samples, not the training run, and is sure where nothing overlaps."""
    rng = np.random.default_rng(18)
    figure, (draws, runs, sure) = panels(3, left=0.15, gap=0.35)
    forget, unseen = tensor(rng.normal(0.5, 1, 100)), tensor(rng.normal(size=100))
    low, high = map(number, bootstrap_interval(membership_auc, forget, unseen))
    again = [
        number(membership_auc(*(group[rng.integers(0, 100, 100)] for group in (forget, unseen))))
        for _ in range(600)
    ]
    head(
        draws,
        "An AUC of samples drawn again",
        f"{number(membership_auc(forget, unseen)):.2f}, interval {low:.2f} to {high:.2f}",
    )
    hist(draws, again, np.linspace(0.45, 0.85, 31), FORGET)
    mark(draws, x=low)
    mark(draws, x=high)
    draws.set_xlabel("AUC of a draw")

    head(runs, "Ten runs of one training", "they differ by more")
    for run in range(10):
        groups = tensor(rng.normal(rng.normal(0.5, 0.4), 1, 300)), tensor(rng.normal(size=300))
        bounds = list(map(number, bootstrap_interval(membership_auc, *groups, resamples=200)))
        runs.plot(bounds, [run, run], color=UNSEEN)
        runs.plot([number(membership_auc(*groups))], [run], "o", color=UNSEEN, markersize=4)
    runs.set(xlabel="AUC of a run, 300 samples each", yticks=[])

    members, others = tensor(rng.normal(3, 0.4, 12)), tensor(rng.normal(0, 0.4, 12))
    low, high = map(number, bootstrap_interval(membership_auc, members, others))
    head(sure, "Fooled: 12 and 12, no overlap", f"interval {low:.2f} to {high:.2f}")
    for values, colour in ((members, FORGET), (others, UNSEEN)):
        sure.plot(values.numpy().round(3), np.zeros(12), "|", color=colour, markersize=22, mew=2)
    sure.set(yticks=[], xlabel="score", ylim=(-1, 1))
    note(sure, 0.02, 0.75, "unseen", UNSEEN)
    note(sure, 0.98, 0.75, "forget", FORGET, ha="right")
    return figure


def _relearned(rng: np.random.Generator, pace: float) -> Array:
    curve = 1 - np.exp(-np.arange(111) / pace)
    return np.clip(curve + 0.012 * rng.normal(size=111) * (curve > 0), 0, 1).round(3)


def _gaps(axes: Axes, reference: list[float], ours: tuple[float, ...]) -> None:
    for row, (theirs, value) in enumerate(zip(reference, ours, strict=True)):
        axes.plot([theirs, value], [2 - row, 2 - row], color=FORGET, linewidth=4, alpha=0.3)
        axes.plot([theirs], [2 - row], "|", color=UNSEEN, markersize=15, mew=2)
        axes.plot([value], [2 - row], "o", color=FORGET)
    axes.set(xlim=(0.6, 1.02), ylim=(-0.9, 2.5), yticks=[], xlabel="accuracy", xticks=(0.6, 0.7, 0.8, 0.9, 1))
