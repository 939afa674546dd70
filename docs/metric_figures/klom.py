"""Many unlearned models beside many retrained ones, sample by sample."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lightning_unlearn.metrics.functional import (
    gaussian_klom,
    gaussian_klom_per_sample,
    klom,
    klom_p_value,
    klom_per_sample,
)
from metric_figures.style import FAINT, FORGET, UNSEEN, Array, head, hist, mark, note, number, panels, tensor


def klom_figure() -> Figure:
    """Oracles against oracles are not at 0, and one outlier hides a difference."""
    rng = np.random.default_rng(19)
    figure, axes = panels(3, left=0.15, gap=0.25)
    oracles, shifted = rng.normal(2, 1, 100), rng.normal(0.5, 1, 100)
    outlier = np.append(oracles[:-1], 60.0)
    null = number(klom(*map(tensor, rng.normal(2, 1, size=(2, 100, 200)))))
    for panel, title, models, others, extra in (
        (axes[0], "Not as retrained", shifted, oracles, ""),
        (axes[1], "Oracles beside oracles", rng.normal(2, 1, 100), oracles, f"; mean of 200: {null:.2f}"),
        (axes[2], "Fooled: one oracle at 60", shifted, outlier, ""),
    ):
        value = number(klom_per_sample(_column(models), _column(others))[0])
        head(panel, title, f"KLoM {value:.2f}{extra}")
        edges = np.linspace(min(models.min(), others.min()), max(models.max(), others.max()), 21)
        panel.hist(others, edges, color=UNSEEN, alpha=0.5)
        panel.hist(models, edges, color=FORGET, alpha=0.5)
        panel.set(xlabel="margin of one sample", yticks=[])
        panel.spines.left.set_visible(False)
    note(axes[0], 0.0, 0.93, "unlearned", FORGET)
    note(axes[0], 1.0, 0.93, "oracles", UNSEEN, ha="right")
    note(axes[2], 0.98, 0.5, "nearly all\nin two bins", FAINT, ha="right")
    return figure


def gaussian_klom_figure() -> Figure:
    """For few models; free of bias; sees a mean and a variance, and no more."""
    rng = np.random.default_rng(20)
    figure, (fitted, null, blind) = panels(3, left=0.15, gap=0.3)
    oracles, unlearned = rng.normal(2, 0.8, 10), rng.normal(0.4, 1, 10)
    value = number(gaussian_klom(_column(unlearned), _column(oracles)))
    head(fitted, "Ten models of each kind", f"GaussianKLoM {value:.2f}")
    grid = np.linspace(-3, 5, 81)
    for values, colour in ((oracles, UNSEEN), (unlearned, FORGET)):
        spread = values.std(ddof=1)
        fitted.plot(grid, np.exp(-(((grid - values.mean()) / spread) ** 2) / 2) / spread, color=colour)
        fitted.plot(values.round(3), np.full(10, -0.08), "|", color=colour, markersize=9, mew=1.5)
    _quiet(fitted, "margin of one sample")
    note(fitted, 0.02, 0.93, "unlearned", FORGET)
    note(fitted, 0.98, 0.93, "oracles", UNSEEN, ha="right")

    u, o = rng.normal(size=(2, 10, 20_000))
    corrected = gaussian_klom_per_sample(tensor(u), tensor(o)).numpy()
    plain = (
        np.log(o.var(0, ddof=1) / u.var(0, ddof=1))
        + (u.var(0, ddof=1) + (u.mean(0) - o.mean(0)) ** 2) / o.var(0, ddof=1)
        - 1
    ) / 2
    means = round(float(corrected.mean()), 3) + 0.0, float(plain.mean())
    head(null, "Equal sets of ten models", f"mean {abs(means[0]):.2f}; uncorrected {means[1]:.2f}")
    hist(null, corrected, np.linspace(-0.5, 1.5, 41), UNSEEN)
    hist(null, plain, np.linspace(-0.5, 1.5, 41), FAINT)
    mark(null, x=0)
    null.set_xlabel("value of a sample")
    note(null, 0.98, 0.93, "GaussianKLoM", UNSEEN, ha="right")
    note(null, 0.98, 0.8, "without correction", FAINT, ha="right")

    halves = np.concatenate([rng.normal(-1, 0.2, 100), rng.normal(1, 0.2, 100)])
    halves = (halves - halves.mean()) / halves.std(ddof=1)
    whole = rng.normal(size=200)
    whole = (whole - whole.mean()) / whole.std(ddof=1)
    pair = _column(halves), _column(whole)
    value, binned = number(gaussian_klom(*pair)), number(klom(*pair))
    head(blind, "Blind: same mean, same variance", f"{abs(value):.2f}; KLoM {binned:.2f}")
    hist(blind, whole, np.linspace(-3, 3, 31), UNSEEN)
    hist(blind, halves, np.linspace(-3, 3, 31), FORGET)
    blind.set_xlabel("margin of one sample")
    return figure


def klom_p_value_figure() -> Figure:
    """How the p-value comes about; uniform where models have forgotten, unless they share their origin."""
    rng = np.random.default_rng(21)
    figure, (divisions, uniform) = panels(2, left=0.15, gap=0.75)
    oracles, unlearned = rng.normal(size=(10, 20)), rng.normal(0.6, 1, size=(10, 20))
    statistics: list[float] = []

    def statistic(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        statistics.append(float(gaussian_klom(a, b)))
        return torch.tensor(statistics[-1])

    p = number(klom_p_value(tensor(unlearned), tensor(oracles), statistic=statistic))
    observed = float(gaussian_klom(tensor(unlearned), tensor(oracles)))
    head(divisions, "999 random divisions of the 20 models", f"p = {p:.3f}")
    hist(divisions, statistics, np.linspace(-0.2, 0.4, 41), UNSEEN)
    mark(divisions, x=round(observed, 4), colour=FORGET)
    divisions.set_xlabel("GaussianKLoM")
    note(divisions, round(observed, 4) + 0.01, divisions.get_ylim()[1] * 0.8, "observed", FORGET, data=True)
    divisions.texts[-1].set_ha("left")

    head(uniform, "Models that have forgotten, 100 audits", "target: the diagonal")
    uniform.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    for shared, colour, name, place in (
        (0.0, UNSEEN, "independent", (0.97, 0.45)),
        (0.5, FORGET, "one original for all", (0.97, 0.2)),
    ):
        values = np.sort([_null_p(rng, shared) for _ in range(100)])
        uniform.step(values, np.arange(1, 101) / 100, color=colour)
        below = (values <= 0.05).mean()
        note(uniform, *place, f"{name}:\np ≤ 0.05 in {100 * below:.0f} %", colour, ha="right")
    uniform.set(
        xlim=(0, 1), ylim=(0, 1.02), xlabel="p-value", ylabel="share of audits below", xticks=(0, 0.5, 1)
    )
    return figure


def _null_p(rng: np.random.Generator, shared: float) -> float:
    """Each unlearned model is distributed as an oracle is; their common part makes them dependent."""
    unlearned = np.sqrt(1 - shared) * rng.normal(size=(10, 20)) + np.sqrt(shared) * rng.normal(size=(1, 20))
    return number(klom_p_value(tensor(unlearned), tensor(rng.normal(size=(10, 20))), permutations=49))


def _column(values: Array) -> torch.Tensor:
    return tensor(values[:, None])


def _quiet(axes: Axes, label: str) -> None:
    axes.set(yticks=[], xlabel=label)
    axes.spines.left.set_visible(False)
