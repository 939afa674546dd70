"""How many forget samples an attacker takes for unseen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from lightning_unlearn.metrics.functional import (
    mia_efficacy,
    salun_mia_efficacy,
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
    tensor,
)


def mia_efficacy_figure() -> Figure:
    """A retrained model has neither 0 nor 1 nor one half; a forget set made unfamiliar has more."""
    rng = np.random.default_rng(8)
    figure, axes = panels(3, left=0.15, gap=0.25)
    retain, unseen = rng.normal(4, 1, 400), rng.normal(2.6, 1.4, 400)
    groups = tensor(retain), tensor(unseen)
    grid = np.linspace(-5, 8, 131)
    judged = np.array([number(mia_efficacy(*groups, tensor([score]))) for score in grid])
    for panel, title, mean in zip(
        axes, ("Not forgotten", "Retrained: the target", "Overdone"), (4, 2.6, -2), strict=True
    ):
        forget = rng.normal(mean, 1.3, 400) if mean != 4 else rng.normal(4, 1, 400)
        value = number(mia_efficacy(*groups, tensor(forget)))
        head(panel, title, f"MIA-efficacy {value:.2f}")
        hist(panel, forget, np.linspace(-5, 8, 40), FORGET)
        panel.fill_between(
            grid,
            0,
            1,
            where=judged > 0.5,
            step="mid",
            color=UNSEEN,
            alpha=0.12,
            linewidth=0,
            transform=panel.get_xaxis_transform(),
        )
        panel.set(xlabel="logit gap of a forget sample", ylim=(0, 1.25 * panel.get_ylim()[1]))
    note(axes[0], 0.04, 0.93, "judged unseen", UNSEEN)
    note(axes[0], 0.98, 0.93, "judged seen", ha="right")
    return figure


def salun_mia_efficacy_figure() -> Figure:
    """The published computation depends on how many retained samples there are, and on which come first."""
    rng = np.random.default_rng(9)
    figure, (size, order) = panels(2, gap=0.75)
    counts = np.array([50, 100, 150, 190, 210, 300, 600])
    draws = 1 - 0.02 * rng.beta(1, 3, size=(20, 1000))
    for metric, colour, marker in ((salun_mia_efficacy, FORGET, "o"), (mia_efficacy, UNSEEN, "s")):
        values = np.array([[_judged(metric, draw, count) for count in counts] for draw in draws])
        size.fill_between(counts, values.min(0), values.max(0), color=colour, alpha=0.12, linewidth=0)
        size.plot(counts, values.mean(0).round(3), marker + "-", color=colour, markersize=5)
    head(size, "Nothing to find: all three sets alike", "200 unseen; mean and range of 20 draws")
    size.set(ylim=(-0.05, 1.1), xlabel="retained samples", ylabel="share judged unseen")
    mark(size, x=200, colour=FAINT)
    note(size, 0.98, 0.12, "as published", FORGET, ha="right")
    note(size, 0.98, 0.75, "MIAEfficacy", UNSEEN, ha="right")

    classes = rng.integers(0, 10, 1000)
    retain = 1 - 0.3 * rng.beta(1, 6, 1000) * (1 + classes) / 5
    unseen = 1 - 0.4 * rng.beta(1, 5, 200) * (1 + rng.integers(0, 10, 200)) / 5
    forget = 1 - 0.35 * rng.beta(1, 5, 200) * (1 + rng.integers(0, 10, 200)) / 5
    rest = tensor(unseen), tensor(forget)
    shuffled = [number(salun_mia_efficacy(tensor(rng.permutation(retain)), *rest)) for _ in range(60)]
    by_class = number(salun_mia_efficacy(tensor(retain[np.argsort(classes, kind="stable")]), *rest))
    head(
        order,
        "One model, orders of the retain set",
        f"shuffled {min(shuffled):.2f} to {max(shuffled):.2f}; by class {by_class:.2f}",
    )
    order.plot(shuffled, rng.uniform(0.8, 1.2, 60).round(3), ".", color=FORGET)
    order.plot([by_class], [0], "D", color=FORGET)
    order.set(xlim=(0, 1), ylim=(-0.5, 1.6), yticks=[], xlabel="SalUnMIAEfficacy")
    order.spines.left.set_visible(False)
    note(order, 0.02, 1.4, "shuffled, 60 times", FORGET, data=True)
    note(order, 0.02, 0.3, "sorted by class", FORGET, data=True)
    return figure


def _judged(metric: Callable[..., Tensor], confidence: Array, retained: int) -> float:
    """200 unseen samples, 200 of the forget set, and as many retained ones, all of one distribution."""
    unseen, forget, retain = np.split(confidence, (200, 400))
    return number(metric(tensor(retain[:retained]), tensor(unseen), tensor(forget)))
