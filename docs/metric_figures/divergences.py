"""Divergences of probabilities: Jensen–Shannon, Kullback–Leibler, and from random networks."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lightning_unlearn.metrics.functional import (
    reference_js_divergence,
    reference_kl_divergence,
    zero_retrain_forgetting,
)
from metric_figures.style import FAINT, FORGET, UNSEEN, head, mark, note, number, panels, tensor


def reference_js_divergence_figure() -> Figure:
    """Every pair of confident, different predictions is at log 2."""
    figure, axes = panels(4, left=0.15, gap=0.3, ratios=(1, 1, 1, 1.7))
    reference = (0.85, 0.05, 0.05, 0.05)
    for panel, title, ours in (
        (axes[0], "Close", (0.7, 0.1, 0.1, 0.1)),
        (axes[1], "Unsure", (0.25, 0.25, 0.25, 0.25)),
        (axes[2], "Another class", (0.001, 0.997, 0.001, 0.001)),
    ):
        value = number(reference_js_divergence(tensor([ours]).log(), tensor([reference]).log()))
        head(panel, title, f"JS {value:.2f}")
        _bars(panel, ours, reference)
    note(axes[0], 0.5, 0.93, "reference", UNSEEN)
    note(axes[0], 0.5, 0.81, "unlearned", FORGET)
    gaps = np.linspace(0, 20, 41)
    pairs = [(tensor([[0.0, gap]]), tensor([[gap, 0.0]])) for gap in gaps]
    js = [number(reference_js_divergence(*pair)) for pair in pairs]
    kl = [number(reference_kl_divergence(*pair)) for pair in pairs]
    curve = axes[3]
    head(curve, "Opposite predictions", f"JS ends at log 2 = {js[-1]:.2f}")
    curve.plot(gaps, kl, color=FAINT)
    curve.plot(gaps, js, color=FORGET)
    curve.set(ylim=(0, 2), xlim=(0, 20), xlabel="logit gap of both models", yticks=(0, 1, 2))
    note(curve, 0.98, 0.43, "JS", FORGET, ha="right")
    note(curve, 0.25, 0.85, "KL", FAINT)
    return figure


def reference_kl_divergence_figure() -> Figure:
    """The direction decides, and so does one sample."""
    rng = np.random.default_rng(12)
    figure, axes = panels(3, left=0.15, gap=0.55, ratios=(1, 1, 1.4))
    sure, unsure = (0.997, 0.001, 0.001, 0.001), (0.25, 0.25, 0.25, 0.25)
    for panel, title, ours, theirs in (
        (axes[0], "Model unsure", unsure, sure),
        (axes[1], "Model too sure", sure, unsure),
    ):
        value = number(reference_kl_divergence(tensor([ours]).log(), tensor([theirs]).log()))
        head(panel, title, f"KL {value:.2f}")
        _bars(panel, ours, theirs)
    note(axes[0], 0.4, 0.93, "reference", UNSEEN)
    note(axes[0], 0.4, 0.81, "unlearned", FORGET)
    theirs = rng.normal(size=(60, 4))
    ours = theirs + 0.4 * rng.normal(size=(60, 4))
    theirs[7], ours[7] = (0, 9, 0, 0), (9, -4, 0, 0)
    each = [
        number(reference_kl_divergence(tensor(a[None]), tensor(b[None])))
        for a, b in zip(ours, theirs, strict=True)
    ]
    mean, median = number(reference_kl_divergence(tensor(ours), tensor(theirs))), float(np.median(each))
    head(axes[2], "60 samples: one makes the mean", f"mean {mean:.2f}, median {median:.2f}")
    axes[2].bar(range(60), sorted(each), color=FORGET)
    axes[2].set(xlabel="samples, sorted", ylabel="KL of a sample", xticks=[])
    mark(axes[2], y=mean)
    note(axes[2], 0.02, 0.16, "mean")
    return figure


def zero_retrain_forgetting_figure() -> Figure:
    """It measures how unsure a model is, and depends on the random networks."""
    rng = np.random.default_rng(13)
    figure, (cases, unsure, seeds) = panels(3, left=0.15, gap=0.4)
    logits = rng.normal(size=(200, 10))
    logits[np.arange(200), rng.integers(0, 10, 200)] += 4
    random = 0.3 * rng.normal(size=(1, 20, 10)) + 0.02 * rng.normal(size=(200, 20, 10))

    def zrf(scale: float, networks: slice = slice(0, 20)) -> float:
        return number(zero_retrain_forgetting(tensor(scale * logits), tensor(random[:, networks])))

    target = zrf(0.6)
    head(cases, "From 1 − log 2 = 0.31 to 1", f"target {target:.2f}: the retrained one")
    for row, (name, scale, colour) in enumerate(
        (("guesses", 0.0, FORGET), ("retrained", 0.6, UNSEEN), ("original", 2.0, FAINT))
    ):
        value = zrf(scale)
        cases.plot([0.307, value], [row, row], color=colour, linewidth=1)
        cases.plot([value], [row], "o", color=colour, markersize=7)
        note(cases, 0.32, row + 0.25, f"{name} {value:.2f}", colour, data=True)
    cases.set(xlim=(0.307, 1.03), ylim=(-0.4, 2.6), yticks=[], xlabel="ZRF")

    scales = np.linspace(0, 2, 21)
    head(unsure, "Same predictions, flatter logits", "knows as much, scores more")
    unsure.plot(scales, [zrf(scale) for scale in scales], color=FORGET)
    unsure.set(xlabel="factor on all logits", ylim=(0.3, 1.02), xlim=(2, 0), yticks=(0.4, 0.6, 0.8, 1))
    mark(unsure, y=target, colour=UNSEEN)
    note(unsure, 0.03, target + 0.05, "retrained", UNSEEN)
    unsure.texts[-1].xyann = (0, 0)

    wide = 3.0 * rng.normal(size=(40, 20, 1, 10))
    tens = [
        number(zero_retrain_forgetting(tensor(0.6 * logits), tensor(np.tile(w[:10, 0], (200, 1, 1)))))
        for w in wide
    ]
    ones = [
        number(zero_retrain_forgetting(tensor(0.6 * logits), tensor(np.tile(w[:1, 0], (200, 1, 1)))))
        for w in wide
    ]
    head(seeds, "One model, other networks", f"one: {min(ones):.2f} to {max(ones):.2f}")
    for values, row, colour, name in ((ones, 1, FORGET, "one network"), (tens, 0, UNSEEN, "mean of ten")):
        seeds.plot(values, row + rng.uniform(-0.15, 0.15, 40).round(3), ".", color=colour)
        note(seeds, min(ones), row + 0.35, name, colour, data=True)
    seeds.set(ylim=(-0.4, 1.7), yticks=[], xlabel="ZRF")
    return figure


def _bars(axes: Axes, ours: tuple[float, ...], theirs: tuple[float, ...]) -> None:
    places = np.arange(4)
    axes.bar(places - 0.2, theirs, 0.38, color=UNSEEN)
    axes.bar(places + 0.2, ours, 0.38, color=FORGET)
    axes.set(ylim=(0, 1.02), yticks=[], xticks=[], xlabel="classes")
