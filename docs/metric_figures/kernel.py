"""The distance without a bias."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lightning_unlearn.metrics.functional import frechet_distance, kernel_distance
from metric_figures.style import FAINT, FORGET, UNSEEN, Array, head, mark, note, number, panels, tensor


def kernel_distance_figure() -> Figure:
    """About 0 for two sets of one kind, whatever their size; below 0 is noise; subsets add more of it."""
    rng = np.random.default_rng(21)
    figure, (kernel, frechet, subsets) = panels(3, left=0.62, gap=0.6)
    sizes = (50, 200, 800)
    for panel, name, metric in (
        (kernel, "KernelDistance", kernel_distance),
        (frechet, "FrechetDistance", frechet_distance),
    ):
        values = np.array(
            [[number(metric(*map(tensor, rng.normal(size=(2, n, 16))))) for n in sizes] for _ in range(30)]
        )
        for place in range(3):
            places = place + rng.uniform(-0.2, 0.2, 30).round(3)
            panel.plot(places, values[:, place], ".", color=FAINT, alpha=0.6)
        panel.plot(range(3), values.mean(0).round(3), "D", color="black", markersize=5)
        mark(panel, y=0, colour=UNSEEN)
        panel.set(xticks=range(3), xticklabels=sizes, xlabel="samples of each", ylabel=name)
        means = [f"{number(value):.3f}".replace("-", "−") for value in values.mean(0)]
        head(panel, "Two sets of one kind", f"50: {means[0]}, 800: {means[2]}")
    note(frechet, 0.98, 0.9, "◆ mean of 30", ha="right")
    kernel.set_yticks((-0.1, 0, 0.1))
    note(kernel, 0.45, 0.1, "below 0: noise")

    generated, real = rng.normal(0.15, 1, (600, 16)), rng.normal(size=(600, 16))
    whole = number(1000 * kernel_distance(tensor(generated), tensor(real)))
    parts = [number(1000 * _of_subsets(rng, generated, real)) for _ in range(40)]
    head(subsets, "One pair of sets, × 1000", f"subsets: {min(parts):.1f} to {max(parts):.1f}")
    subsets.plot(parts, rng.uniform(0.8, 1.2, 40).round(3), ".", color=FORGET)
    subsets.plot([whole], [0], "D", color=UNSEEN)
    low, high = min(*parts, whole), max(*parts, whole)
    subsets.set(ylim=(-0.5, 2.4), xlim=(low - 0.2 * (high - low), high + 0.2 * (high - low)), yticks=[])
    subsets.set_xlabel("1000 × KernelDistance")
    subsets.spines.left.set_visible(False)
    note(subsets, 0.02, 0.93, "means over 20\nrandom subsets of 200", FORGET)
    note(subsets, 0.02, 0.3, f"all samples: {whole:.1f}", UNSEEN)
    return figure


def _of_subsets(rng: np.random.Generator, generated: Array, real: Array) -> float:
    values = [
        float(kernel_distance(*(tensor(rng.permutation(x)[:200]) for x in (generated, real))))
        for _ in range(20)
    ]
    return float(np.mean(values))
