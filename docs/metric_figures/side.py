"""Accuracy and loss of a side."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lightning_unlearn.metrics.functional import log_likelihood, side_accuracy, side_loss
from metric_figures.style import FAINT, FORGET, UNSEEN, Array, head, hist, mark, note, number, panels, tensor

_SIDES = ("forget", "retain", "unseen")


def side_accuracy_figure() -> Figure:
    """The same 0 on the forget set: a miss where samples were forgotten, a hit where a class was."""
    rng = np.random.default_rng(0)
    figure, (samples, one_class) = panels(2, left=0.62, gap=0.75)
    retrained = _accuracies(rng, (2.9, 4.5, 3.0))
    head(samples, "Forgotten: samples at random", f"target on the forget set: {retrained[0]:.2f}")
    _dots(samples, retrained, UNSEEN, "|")
    _dots(samples, _accuracies(rng, (3.0, 4.2, 2.9)), FORGET, "o")
    driven = _accuracies(rng, (-6, 3.6, 2.4))
    _dots(samples, driven, FORGET, "x")
    note(samples, 0.03, 2.2, f"driven to {driven[0]:.2f}: gives it away", FORGET, data=True)
    note(samples, 0.02, 0.5, "| retrained", UNSEEN)
    note(samples, 0.02, 0.4, "● unlearned", FORGET)
    note(samples, 0.02, 0.3, "× ascended", FORGET)

    retrained = _accuracies(rng, (-6, 4.5, 3.0))
    head(one_class, "Forgotten: a class", f"target on the forget set: {retrained[0]:.2f}")
    _dots(one_class, retrained, UNSEEN, "|")
    _dots(one_class, _accuracies(rng, (-6, 4.4, 2.9)), FORGET, "o")
    note(one_class, 0.05, 2.0, "as the retrained model", FORGET, data=True)
    return figure


def side_loss_figure() -> Figure:
    """One mean, two models: it does not say whether all samples are meant, or a few."""
    rng = np.random.default_rng(1)
    figure, (retrained, few, ascended) = panels(3, left=0.15, gap=0.25)
    honest = _logits(rng, np.full(2000, 3.4))
    odd = _logits(rng, np.where(np.arange(2000) < 60, -11.0, 5.5))
    far = _logits(rng, np.full(2000, -8.0))
    for axes, title, logits in (
        (retrained, "Retrained", honest),
        (few, "3 % of samples make the mean", odd),
        (ascended, "Gradient ascent", far),
    ):
        labels = torch.zeros(len(logits), dtype=torch.long)
        mean = number(side_loss(logits, labels))
        head(axes, title, f"SideLoss {mean:.2f}")
        losses = -log_likelihood(logits, labels).numpy()
        hist(axes, losses, np.geomspace(0.003, 30, 41), FORGET if axes is not retrained else UNSEEN)
        axes.set(xscale="log", xlim=(0.003, 30), xticks=[0.01, 0.1, 1, 10], xlabel="loss of a sample")
        axes.set_xticklabels(["0.01", "0.1", "1", "10"])
        axes.minorticks_off()
        axes.plot([mean], [0], "v", color="black", clip_on=False, markersize=7)
        mark(axes, x=float(np.log(10)), colour=FAINT)
    note(few, 0.98, 0.42, "these", FORGET, ha="right")
    note(retrained, 0.98, 0.93, "mean ▼", ha="right")
    note(ascended, 0.68, 0.93, "a guess:\nlog 10", FAINT, ha="right")
    return figure


def _logits(rng: np.random.Generator, strength: Array) -> Tensor:
    """Ten logits a sample: noise, and `strength` on its class, which is the first."""
    logits = rng.normal(size=(len(strength), 10))
    logits[:, 0] += strength
    return tensor(logits)


def _accuracies(rng: np.random.Generator, strengths: tuple[float, ...]) -> list[float]:
    labels = torch.zeros(1000, dtype=torch.long)
    return [number(side_accuracy(_logits(rng, np.full(1000, s)), labels)) for s in strengths]


def _dots(axes: Axes, accuracies: list[float], colour: str, marker: str) -> None:
    axes.plot(
        accuracies,
        np.array([2, 1, 0]) - 0.25 * (marker == "x"),
        marker,
        color=colour,
        markersize=13 if marker == "|" else 6,
        mew=2,
    )
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.5, 2.6), yticks=(2, 1, 0), xlabel="SideAccuracy")
    axes.set_yticklabels(_SIDES)
    axes.grid(axis="x", color="#e5e5e5")
    axes.set_axisbelow(True)
