"""Membership inference by one threshold."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lightning_unlearn.metrics.functional import (
    membership_advantage,
    membership_auc,
    membership_tpr,
)
from metric_figures.style import (
    FAINT,
    FORGET,
    UNSEEN,
    Array,
    head,
    hist,
    mark,
    note,
    number,
    panels,
    rows_and_panel,
    tensor,
)


def membership_auc_figure() -> Figure:
    """Too familiar and too unfamiliar both give the forget set away."""
    rng = np.random.default_rng(2)
    figure, rows, curves = rows_and_panel(3)
    unseen = rng.normal(size=1000)
    cases = (
        ("Not forgotten", 1.3, (0.1, 0.78)),
        ("Forgotten", 0.0, (0.36, 0.57)),
        ("Overdone", -1.3, (0.55, 0.1)),
    )
    for axes, (title, shift, place) in zip(rows, cases, strict=True):
        forget = rng.normal(shift, 1, 1000)
        value = number(membership_auc(tensor(forget), tensor(unseen)))
        axes.set_title(f"{title}: AUC {value:.2f}", loc="left", fontsize=9, weight="bold")
        hist(axes, unseen, np.linspace(-4.5, 4.5, 37), UNSEEN)
        hist(axes, forget, np.linspace(-4.5, 4.5, 37), FORGET)
        curves.plot(*_roc(forget, unseen), color=FORGET if shift else "black")
        note(curves, *place, f"{value:.2f}", FORGET if shift else "black")
    rows[-1].set_xlabel("score (log-likelihood)")
    note(rows[0], 0.98, 0.8, "forget", FORGET, ha="right")
    note(rows[0], 0.02, 0.8, "unseen", UNSEEN)
    _rates(curves)
    head(curves, "Area under the ROC curve", "target 0.50: the diagonal")
    return figure


def membership_advantage_figure() -> Figure:
    """The largest gap above the diagonal; chance gives more than 0, and what lies below is not seen."""
    rng = np.random.default_rng(3)
    figure, (seen, chance, blind) = panels(3, gap=0.6)
    unseen = rng.normal(size=1000)
    for axes, title, shift in ((seen, "Not forgotten", 1.2), (blind, "Blind: less familiar", -1.2)):
        forget = rng.normal(shift, 1, 1000)
        value = number(membership_advantage(tensor(forget), tensor(unseen)))
        head(axes, title, f"advantage {value:.2f}")
        fpr, tpr = _roc(forget, unseen)
        axes.plot(fpr, tpr, color=FORGET)
        best = int(np.argmax(tpr - fpr))
        _rates(axes)
        axes.annotate("", (fpr[best], tpr[best]), (fpr[best], fpr[best]), arrowprops={"arrowstyle": "<->"})
    note(seen, 0.28, 0.55, "advantage")
    area = number(membership_auc(tensor(forget), tensor(unseen)))
    note(blind, 0.05, 0.9, f"but AUC {area:.2f}", FORGET)

    sizes = np.array([20, 50, 100, 200, 500, 1000])
    means = [
        np.mean([float(membership_advantage(*map(tensor, rng.normal(size=(2, n))))) for _ in range(100)])
        for n in sizes
    ]
    chance.plot(sizes, np.round(0.6 * np.sqrt(2 / sizes), 4), color=FAINT)
    chance.plot(sizes, np.round(means, 3), "o", color="black", markersize=5)
    head(chance, "Nothing to find: above 0", f"50 and 50 samples: {means[1]:.2f}")
    note(chance, 0.42, 0.72, "0.6 √(1/N + 1/M)", FAINT)
    note(chance, 0.42, 0.6, "● mean of 100")
    chance.set(xscale="log", ylim=(0, 0.25), xticks=(20, 100, 1000), xlabel="samples of each, N = M")
    chance.set_xticklabels(["20", "100", "1000"])
    chance.minorticks_off()
    return figure


def membership_tpr_figure() -> Figure:
    """A few samples that are known for sure hardly move the area; few unseen samples make a lottery."""
    rng = np.random.default_rng(4)
    figure, (curves, lottery) = panels(2, height=3.1, left=0.68, gap=0.75)
    unseen, everyone = rng.normal(size=10_000), rng.normal(0.4, 1, 10_000)
    few = np.concatenate([rng.normal(size=9_000), rng.normal(6, 1, 1_000)])
    grid = np.geomspace(1e-3, 1, 61)
    for forget, colour, what, place in (
        (everyone, UNSEEN, "all a little", (0.43, 0.3)),
        (few, FORGET, "10 % for sure", (0.37, 0.93)),
    ):
        groups = tensor(forget), tensor(unseen)
        curves.plot(grid, [number(membership_tpr(*groups, fpr=rate)) for rate in grid], color=colour)
        at = number(membership_tpr(*groups, fpr=0.01))
        curves.plot([0.01], [at], "o", color=colour)
        note(
            curves,
            *place,
            f"{what}: AUC {number(membership_auc(*groups)):.2f}\nTPR at 1 % FPR: {at:.2f}",
            colour,
        )
    curves.plot([1e-3, 1], [1e-3, 1], color=FAINT, linewidth=1)
    mark(curves, x=0.01)
    ticks = {"ticks": (1e-3, 1e-2, 1e-1, 1), "labels": ("0.001", "0.01", "0.1", "1")}
    curves.set(xscale="log", yscale="log", xlim=(1e-3, 1), ylim=(1e-3, 8))
    curves.set(xlabel="false positive rate", ylabel="true positive rate")
    curves.set_xticks(**ticks)
    curves.set_yticks(**ticks)
    curves.minorticks_off()
    head(curves, "The area hides the few who are known", "log axes; threshold at 1 %")

    head(lottery, "Nothing to find, 100 times: TPR at 1 % FPR", "target 0.01")
    for count, colour, row in ((50, FORGET, 1), (2000, UNSEEN, 0)):
        draws = [number(membership_tpr(*map(tensor, rng.normal(size=(2, count))))) for _ in range(100)]
        lottery.plot(draws, row + rng.uniform(-0.22, 0.22, 100).round(3), ".", color=colour, alpha=0.5)
        note(
            lottery,
            0.98,
            0.93 - 0.42 * (1 - row),
            f"{count} unseen: up to {max(draws):.2f}",
            colour,
            ha="right",
        )
    mark(lottery, x=0.01)
    lottery.set(ylim=(-0.5, 1.9), yticks=[], xlim=(-0.01, 0.2), xticks=(0, 0.05, 0.1, 0.15, 0.2))
    lottery.set_xlabel("true positive rate")
    lottery.spines.left.set_visible(False)
    return figure


def _roc(members: Array, others: Array) -> tuple[Array, Array]:
    groups, grid = (tensor(members), tensor(others)), np.linspace(0.01, 1, 100)
    return np.append(0, grid), np.array([0.0, *(number(membership_tpr(*groups, fpr=rate)) for rate in grid)])


def _rates(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    axes.set(
        xlim=(0, 1), ylim=(0, 1.01), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), xlabel="false positive rate"
    )
    axes.set_ylabel("true positive rate")
