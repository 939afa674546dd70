"""How sure a distance, a share or a mean is, as far as the choice of samples goes."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binom

from lightning_unlearn.metrics.functional import (
    bootstrap_interval,
    frechet_distance,
    jackknife_interval,
    mean_interval,
    proportion_interval,
)
from metric_figures.style import FAINT, FORGET, UNSEEN, Array, head, mark, note, number, panels, tensor

_WIDTH = 16  # features


def jackknife_interval_figure() -> Figure:
    """The jackknife lies around the number, the bootstrap beside it; the number's own bias is in both."""
    rng = np.random.default_rng(29)
    figure, (one, many, bias) = panels(3, left=0.15, gap=0.4)
    pairs = [
        (tensor(rng.normal(0.25, 1, (200, _WIDTH))), tensor(rng.normal(size=(200, _WIDTH))))
        for _ in range(30)
    ]
    values = [number(frechet_distance(*pair)) for pair in pairs]
    average, held = float(np.mean(values)), {UNSEEN: 0, FORGET: 0}
    head(one, "Two sets of 200", f"distance {values[0]:.2f}")
    for row, (name, colour, interval) in enumerate(
        (
            ("jackknife", UNSEEN, jackknife_interval(frechet_distance, *pairs[0])),
            ("bootstrap", FORGET, bootstrap_interval(frechet_distance, *pairs[0], resamples=200)),
        )
    ):
        low, high = map(number, interval)
        one.plot([low, high], [-row, -row], color=colour, linewidth=3)
        note(one, low, 0.35 - row, f"{name} {low:.2f} to {high:.2f}", colour, data=True)
    one.plot([values[0], values[0]], [-1.25, 0.2], color="black", linewidth=1)
    one.set(xlim=(1.2, 4), ylim=(-1.5, 0.8), xlabel="Fréchet distance")
    _no_y(one)

    head(many, "30 such pairs", f"their mean is {average:.2f}")
    for row, (pair, value) in enumerate(zip(pairs, values, strict=True)):
        many.plot([value], [row], ".", color="black", markersize=3)
        for colour, interval in (
            (UNSEEN, jackknife_interval(frechet_distance, *pair)),
            (FORGET, bootstrap_interval(frechet_distance, *pair, resamples=100)),
        ):
            many.plot(list(map(number, interval)), [row, row], color=colour, alpha=0.6)
            held[colour] += bool(interval[0] <= average <= interval[1])
    mark(many, x=round(average, 3))
    many.set(ylim=(-8, 30), xlabel="Fréchet distance")
    _no_y(many)
    note(many, 0.98, 0.12, f"{held[UNSEEN]} of 30 hold it", UNSEEN, ha="right")
    note(many, 0.98, 0.03, f"{held[FORGET]} of 30 hold it", FORGET, ha="right")

    head(bias, "More samples, less bias", "true distance 1.00")
    for row, size in enumerate((100, 200, 400, 800, 1600)):
        pair = tensor(rng.normal(0.25, 1, (size, _WIDTH))), tensor(rng.normal(size=(size, _WIDTH)))
        low, high = map(number, jackknife_interval(frechet_distance, *pair))
        bias.plot([low, high], [-row, -row], color=UNSEEN, linewidth=3)
        note(bias, high + 0.1, -row, f"{size} samples", data=True)
    mark(bias, x=1)
    bias.set(xlim=(0.6, 5.4), ylim=(-4.5, 0.8), xlabel="Fréchet distance")
    _no_y(bias)
    return figure


def proportion_interval_figure() -> Figure:
    """Nothing seen is not nothing there; too wide rather than too narrow; a mean of skewed samples is too sure."""
    rng = np.random.default_rng(30)
    figure, (none, share, mean) = panels(3, left=0.62, gap=0.6)
    sizes = np.array([10, 30, 100, 300, 1000])
    bounds = [number(proportion_interval(0, int(size))[1]) for size in sizes]
    head(none, "Nothing seen", f"0 of 100: 0 to {bounds[2]:.3f}")
    none.vlines(sizes, 1e-3, bounds, color=UNSEEN, linewidth=3)
    none.plot(np.geomspace(10, 1000, 9), np.round(3.7 / np.geomspace(10, 1000, 9), 4), color=FAINT)
    none.set(xscale="log", yscale="log", ylim=(1e-3, 1), xlabel="images", ylabel="share of the class")
    none.set_xticks((10, 100, 1000), ("10", "100", "1000"))
    none.set_yticks((1e-3, 1e-2, 1e-1, 1), ("0.001", "0.01", "0.1", "1"))
    none.minorticks_off()
    note(none, 0.5, 0.85, "3.7/N", FAINT)

    shares = np.linspace(0.005, 0.3, 60)
    hits = np.arange(51)
    exact = np.array([[number(bound) for bound in proportion_interval(int(k), 50)] for k in hits])
    error = 1.96 * np.sqrt(hits / 50 * (1 - hits / 50) / 50)
    normal = np.stack([hits / 50 - error, hits / 50 + error], axis=1)
    ours, theirs = (_coverage(shares, hits, bounds) for bounds in (exact, normal))
    head(share, "50 images: how often it holds", f"at least {ours.min():.2f}; normal {theirs.min():.2f}")
    share.plot(shares, theirs.round(4), color=FAINT)
    share.plot(shares, ours.round(4), color=UNSEEN)
    share.set(ylim=(0, 1.05), xlabel="true share")
    note(share, 0.98, 0.7, "normal", FAINT, ha="right")
    note(share, 0.98, 0.58, "proportion_interval", UNSEEN, ha="right")

    counts = np.array([5, 10, 30, 100, 300])
    head(mean, "Means, 1000 times", "skewed: held too rarely")
    for name, true, draw, colour, place in (
        ("normal", 0.0, rng.normal, UNSEEN, 0.62),
        ("log-normal", np.exp(0.5), lambda size: rng.lognormal(size=size), FORGET, 0.5),
    ):
        held = [_held(draw(size=(1000, count)), true) for count in counts]
        mean.plot(counts, held, "o-", color=colour, markersize=4)
        note(mean, 0.98, place, f"{name}, 10: {held[1]:.2f}", colour, ha="right")
    mark(mean, y=0.95)
    mean.set(xscale="log", ylim=(0, 1.05), xlabel="samples")
    mean.set_xticks((5, 30, 300), ("5", "30", "300"))
    mean.minorticks_off()
    return figure


def _coverage(shares: Array, hits: Array, bounds: Array) -> Array:
    within = (bounds[:, 0] <= shares[:, None]) & (shares[:, None] <= bounds[:, 1])
    covered: Array = (within * binom.pmf(hits, 50, shares[:, None])).sum(1)
    return covered


def _held(samples: Array, true: float) -> float:
    intervals = [mean_interval(row) for row in torch.from_numpy(samples)]
    return number(np.mean([float(low) <= true <= float(high) for low, high in intervals]))


def _no_y(axes: Axes) -> None:
    axes.set_yticks([])
    axes.spines.left.set_visible(False)
