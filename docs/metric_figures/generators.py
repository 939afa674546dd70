"""Whether generated images are as the real ones: distances, precision, recall. Features are two numbers here."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from lightning_unlearn.metrics.functional import (
    frechet_distance,
    generator_precision,
    generator_recall,
)
from metric_figures.style import FORGET, UNSEEN, Array, head, note, number, panels, tensor

CENTRES = np.array([(-2.2, -1.2), (2.2, -1.2), (0.0, 2.2)])
DRAWN = 60  # of each set; all of them for precision and recall


def frechet_distance_figure() -> Figure:
    """One number for quite different failures; blind beyond mean and covariance; above 0 where nothing is wrong."""
    rng = np.random.default_rng(20)
    figure, axes = panels(4, left=0.15, gap=0.33, ratios=(1, 1, 1, 1.15))
    real = _images(rng, 2000)
    missing = _images(rng, 2000, (0, 1))
    away = number(frechet_distance(tensor(missing), tensor(real))) ** 0.5
    blob = rng.multivariate_normal(real.mean(0), np.cov(real.T), 2000)
    for panel, title, generated in (
        (axes[0], "All moved", real + np.array([away, 0])),
        (axes[1], "A class missing", missing),
        (axes[2], "Blind: one blob", blob),
    ):
        head(panel, title, f"distance {number(frechet_distance(tensor(generated), tensor(real))):.2f}")
        _plane(panel, real, generated)
    _legend(axes[0])
    note(axes[3], 0.98, 0.93, "32 features", ha="right")

    sizes = np.array([100, 200, 400, 800, 1600])
    means = [
        np.mean([float(frechet_distance(*map(tensor, rng.normal(size=(2, n, 32))))) for _ in range(20)])
        for n in sizes
    ]
    head(axes[3], "Nothing wrong", f"{means[0]:.2f} to {means[-1]:.2f}")
    axes[3].plot(sizes, np.round(means, 3), "o-", color="black", markersize=4)
    axes[3].set(xscale="log", yscale="log", ylim=(0.1, 20), yticks=(0.1, 1, 10), xlabel="samples")
    axes[3].set_xticks((100, 400, 1600), ("100", "400", "1600"))
    axes[3].set_yticklabels(("0.1", "1", "10"))
    axes[3].minorticks_off()
    return figure


def generator_precision_figure() -> Figure:
    """One good image made again and again has all of it; a far real image lets anything pass."""
    rng = np.random.default_rng(22)
    figure, axes = panels(3, left=0.15, gap=0.2)
    real = _images(rng, DRAWN)
    once = CENTRES[0] + 0.05 * rng.normal(size=(DRAWN, 2))
    nonsense = np.array([4.2, 3.4]) + 0.25 * rng.normal(size=(DRAWN, 2))
    odd = np.concatenate([real, [(5.4, 4.6)]])
    for panel, title, generated, real_ones in (
        (axes[0], "As the data", _images(rng, DRAWN), real),
        (axes[1], "One image, again and again", once, real),
        (axes[2], "Fooled: one odd real image", nonsense, odd),
    ):
        _precision_and_recall(panel, title, generated, real_ones)
    without = number(generator_precision(tensor(nonsense), tensor(real)))
    radius = np.sort(np.linalg.norm(odd - odd[-1], axis=1))[3]
    axes[2].plot(*odd[-1], "o", color=UNSEEN, markersize=5)
    axes[2].add_patch(Circle(odd[-1], round(radius, 3), fill=False, color=UNSEEN, linewidth=1))
    note(axes[2], 0.02, 0.06, f"without it: precision {without:.2f}")
    _legend(axes[0])
    return figure


def generator_recall_figure() -> Figure:
    """A forgotten class among the real images makes it fall; a few generated images far from all raise it to 1."""
    rng = np.random.default_rng(23)
    figure, axes = panels(3, left=0.15, gap=0.2)
    real, kept = _images(rng, DRAWN), _images(rng, DRAWN, (0, 1))
    forgotten = _images(rng, DRAWN, (0, 1))
    around = np.array([(-3.6, 3.6), (3.6, 3.6), (3.6, -3.6), (-3.6, -3.6), (0, -0.2)])
    for panel, title, generated, real_ones in (
        (axes[0], "Forgotten class still asked for", forgotten, real),
        (axes[1], "Without the forgotten class", forgotten, kept),
        (axes[2], "Fooled: few, far from all", around, real),
    ):
        _precision_and_recall(panel, title, generated, real_ones)
    _legend(axes[0])
    return figure


def _precision_and_recall(axes: Axes, title: str, generated: Array, real: Array) -> None:
    sets = tensor(generated), tensor(real)
    precision, recall = number(generator_precision(*sets)), number(generator_recall(*sets))
    head(axes, title, f"precision {precision:.2f}, recall {recall:.2f}")
    _plane(axes, real, generated)


def _images(rng: np.random.Generator, count: int, classes: tuple[int, ...] = (0, 1, 2)) -> Array:
    return CENTRES[rng.choice(classes, count)] + 0.6 * rng.normal(size=(count, 2))


def _plane(axes: Axes, real: Array, generated: Array) -> None:
    axes.plot(*real[:DRAWN].T.round(3), "o", color=UNSEEN, markersize=3)
    axes.plot(*generated[:DRAWN].T.round(3), "^", color=FORGET, markersize=3.5)
    axes.set(xlim=(-6, 6), ylim=(-6, 6), xticks=[], yticks=[], xlabel="first feature")


def _legend(axes: Axes) -> None:
    note(axes, 0.02, 0.15, "real", UNSEEN)
    note(axes, 0.02, 0.06, "generated", FORGET)
