"""What a classifier says of generated images."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import binom
from torch import Tensor

from lightning_unlearn.metrics.functional import (
    class_fraction,
    classifier_score,
    frechet_distance,
    generator_recall,
    prior_test,
    proportion_interval,
)
from metric_figures.style import FAINT, FORGET, UNSEEN, Array, head, hist, mark, note, number, panels, tensor

_ANGLES = 2 * np.pi * np.arange(10) / 10
_TEN = 4 * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


def classifier_score_figure() -> Figure:
    """One clear image of each class beats the data; unclear images that go raise it; parts lower it."""
    rng = np.random.default_rng(24)
    figure, axes = panels(4, left=0.15, gap=0.25, ratios=(1, 1, 1, 1.25))
    data = _images(rng, np.arange(10), 2000)
    for panel, title, generated in (
        (axes[0], "As the data", _images(rng, np.arange(10), 2000)),
        (axes[1], "One image a class", _TEN[rng.integers(0, 10, 2000)] + 0.02 * rng.normal(size=(2000, 2))),
        (axes[2], "A class forgotten", _images(rng, np.arange(1, 10), 2000)),
    ):
        head(panel, title, f"score {number(classifier_score(_logits(generated))):.2f}")
        recall = number(generator_recall(tensor(generated), tensor(data)))
        panel.plot(*generated[:90].T.round(3), "^", color=FORGET, markersize=3.5)
        panel.set(xlim=(-6, 6), ylim=(-6, 6), xticks=[], yticks=[], xlabel="first feature")
        note(panel, 0.5, 0.54, f"recall\n{recall:.2f}", ha="center")
    sizes = np.array([100, 200, 500, 1000, 2000])
    whole, parts = np.array([_whole_and_parts(_logits(data[:size])) for size in sizes]).T
    head(axes[3], "One set of images", f"100: {whole[0]:.2f}, parts {parts[0]:.2f}")
    axes[3].plot(sizes, whole.round(3), "s-", color=UNSEEN, markersize=4)
    axes[3].plot(sizes, parts.round(3), "o-", color=FORGET, markersize=4)
    axes[3].set(xscale="log", xlabel="images", ylim=(0, 10))
    axes[3].set_xticks((100, 500, 2000), ("100", "500", "2000"))
    axes[3].minorticks_off()
    note(axes[3], 0.98, 0.42, "ClassifierScore", UNSEEN, ha="right")
    note(axes[3], 0.98, 0.3, "mean of ten parts", FORGET, ha="right")
    return figure


def class_fraction_figure() -> Figure:
    """Below the prior before anything was forgotten; not 0 for a retrained model; 0 for images of nothing."""
    rng = np.random.default_rng(25)
    figure, (shares, beside) = panels(2, left=0.2, gap=0.75, ratios=(1.25, 1))
    real = _images(rng, np.arange(1, 10), 3000)
    low = np.repeat(np.arange(10), (7, *[10] * 9))
    cases = (
        ("original", _images(rng, low, 3000), FAINT),
        ("unlearned", _images(rng, np.repeat(np.arange(10), (3, *[10] * 9)), 3000), FORGET),
        ("retrained", _images(rng, np.arange(1, 10), 3000), UNSEEN),
        ("nothing", np.array([-1.5, 0.0]) + 0.5 * rng.normal(size=(3000, 2)), FORGET),
    )
    for row, (name, generated, colour) in enumerate(cases):
        logits = _logits(generated)
        value = number(class_fraction(logits, 0))
        interval = [number(bound) for bound in proportion_interval(int((logits.argmax(1) == 0).sum()), 3000)]
        distance = number(frechet_distance(tensor(generated), tensor(real)))
        shares.plot(interval, [-row, -row], color=colour, linewidth=3, alpha=0.5)
        shares.plot([value], [-row], "o", color=colour)
        left = name == "original"
        place = interval[0] - 0.003 if left else interval[1] + 0.003
        text = f"{name} {value:.3f}"
        note(shares, place, 0.02 - row, text, colour, ha="right" if left else "left", data=True)
        beside.plot([value], [distance], "o", color=colour)
        note(beside, value + 0.005, distance, f"{name} {distance:.2f}", colour, data=True)
    mark(shares, x=0.1)
    note(shares, 0.102, -3.4, "share in\nthe data", data=True)
    shares.set(
        xlim=(-0.004, 0.13), ylim=(-4.2, 0.5), yticks=[], xlabel="share taken for the class, 3000 images"
    )
    beside.set(xlim=(-0.005, 0.125), xlabel="ClassFraction", ylabel="FrechetDistance")
    beside.set(yscale="log", ylim=(0.003, 40))
    beside.set_yticks((0.01, 0.1, 1, 10), ("0.01", "0.1", "1", "10"))
    beside.minorticks_off()
    head(shares, "Below its share in the data from the start", "target: the retrained model's")
    head(beside, "Beside a distance to real images", "images of nothing stand out")
    return figure


def prior_test_figure() -> Figure:
    """The tail of a binomial; small for a model that has forgotten nothing; too small where images depend."""
    rng = np.random.default_rng(26)
    figure, (tail, before, shared) = panels(3, left=0.15, gap=0.4)
    ratio, p_value = prior_test(12, 200, 0.1)
    counts = np.arange(5, 38)
    heights = binom.pmf(counts, 200, 0.1).round(5)
    head(tail, "12 of 200, prior 0.1", f"ratio {number(ratio):.2f}, p = {number(p_value):.3f}")
    tail.bar(counts, heights, color=[FORGET if count <= 12 else FAINT for count in counts], alpha=0.8)
    tail.set(yticks=[], xlabel="images of the class")
    tail.spines.left.set_visible(False)
    note(tail, 0.98, 0.93, "at least as\nmany as in\nthe data", FAINT, ha="right")

    head(before, "2000 images, prior 0.1", "small p before unlearning")
    for row, (name, hits, colour) in enumerate((("original", 154, FAINT), ("unlearned", 150, FORGET))):
        ratio, p_value = prior_test(hits, 2000, 0.1)
        before.plot([number(ratio)], [-row], "o", color=colour, markersize=7)
        text = f"{name} {number(ratio):.2f}\np = {float(p_value):.4f}"
        note(before, number(ratio) - 0.03, 0.1 - row, text, colour, ha="right", data=True)
    mark(before, x=1)
    before.set(xlim=(0.2, 1.1), ylim=(-1.6, 0.6), yticks=[], xlabel="ratio to the share in the data")
    before.spines.left.set_visible(False)

    p_values = {
        copies: [
            number(prior_test(copies * int(hits), 200, 0.1)[1])
            for hits in rng.binomial(200 // copies, 0.1, 400)
        ]
        for copies in (1, 10)
    }
    for copies, colour in ((10, FORGET), (1, UNSEEN)):
        hist(shared, p_values[copies], np.linspace(0, 1, 21), colour)
    early = {copies: np.mean(np.array(values) <= 0.05) for copies, values in p_values.items()}
    head(shared, "As many as in the data", f"p ≤ 0.05: {100 * early[1]:.0f} % and {100 * early[10]:.0f} %")
    shared.set_xlabel("p-values of 400 sets")
    note(shared, 0.3, 0.93, "ten images a latent", FORGET)
    note(shared, 0.3, 0.81, "independent images", UNSEEN)
    return figure


def _images(rng: np.random.Generator, classes: Array, count: int) -> Array:
    return _TEN[rng.choice(classes, count)] + 0.5 * rng.normal(size=(count, 2))


def _logits(images: Array) -> Tensor:
    return tensor(-2 * ((images[:, None] - _TEN) ** 2).sum(2))


def _whole_and_parts(logits: Tensor) -> tuple[float, float]:
    parts = torch.stack([classifier_score(part) for part in logits.chunk(10)])
    return number(classifier_score(logits)), number(parts.mean())
