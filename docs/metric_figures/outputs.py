"""A model's outputs beside a reference's."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from lightning_unlearn.metrics.functional import activation_distance, prediction_agreement
from metric_figures.style import (
    FAINT,
    FORGET,
    UNSEEN,
    Array,
    head,
    hist,
    note,
    number,
    panels,
    tensor,
)


def activation_distance_figure() -> Figure:
    """A mean that hides a few, and confident models whose probabilities stand still."""
    rng = np.random.default_rng(10)
    figure, (simplex, hidden, confident) = panels(3, left=0.15, gap=0.5)
    theirs = 2.0 * rng.normal(size=(14, 3))
    ours = theirs + 0.8 * rng.normal(size=(14, 3))
    head(
        simplex,
        "Three classes: mean length",
        f"ActivationDistance {number(activation_distance(tensor(ours), tensor(theirs))):.2f}",
    )
    simplex.plot([0, 1, 0.5, 0], [0, 0, 0.866, 0], color=FAINT, linewidth=1)
    for start, end in zip(_corners(theirs), _corners(ours), strict=True):
        simplex.plot(*zip(start, end, strict=True), color="black", linewidth=1)
        simplex.plot(*start, "o", color=UNSEEN, markersize=4)
        simplex.plot(*end, "o", color=FORGET, markersize=4)
    simplex.set(aspect="equal", anchor="N", xlim=(-0.35, 1.05), ylim=(-0.05, 0.92))
    simplex.set_axis_off()
    note(simplex, 0.02, 0.88, "● reference", UNSEEN)
    note(simplex, 0.02, 0.76, "● unlearned", FORGET)

    theirs = np.tile([3.0, 0.0, 0.0], (200, 1))
    few = theirs.copy()
    few[:10] = (0.0, 6.0, 0.0)
    ours = theirs - np.outer(rng.uniform(0.42, 0.65, 200), (1, 0, 0))
    values = [number(activation_distance(tensor(each), tensor(theirs))) for each in (ours, few)]
    head(hidden, "Two models, nearly one mean", f"{values[0]:.3f} and {values[1]:.3f}")
    for each, colour in ((ours, UNSEEN), (few, FORGET)):
        lengths = [number(activation_distance(*_pair(each, theirs, k))) for k in range(200)]
        hidden.hist(lengths, np.linspace(0, 1.4, 36), color=colour, alpha=0.6)
    hidden.set(xlabel="distance of a sample", ylabel="samples", ylim=(0, 210))
    note(hidden, 0.14, 0.8, "all a little", UNSEEN)
    note(hidden, 0.98, 0.2, "10 of 200\nreversed", FORGET, ha="right")

    gaps = np.linspace(4, 20, 33)
    lengths = [number(activation_distance(tensor([[gap, 0.0]]), tensor([[4.0, 0.0]]))) for gap in gaps]
    head(confident, "Confident: logits move, it stays", f"at most {max(lengths):.2f} of 1.41")
    confident.plot(gaps, lengths, color=FORGET)
    confident.set(ylim=(0, 1.42), xlabel="logit gap (reference: 4)", xticks=(4, 8, 12, 16, 20))
    return figure


def prediction_agreement_figure() -> Figure:
    """Equally right is not the same; the same prediction is not the same confidence."""
    rng = np.random.default_rng(11)
    figure, axes = panels(3, left=0.15, gap=0.3, height=2.9)
    right = np.arange(100)
    theirs = np.where(right < 90, 0, 1)
    other = np.where((right >= 75) & (right < 85), 2, 0)
    for panel, title, ours in (
        (axes[0], "Right on 90 %, same errors", theirs),
        (axes[1], "Right on 90 %, other errors", other),
    ):
        value = number(prediction_agreement(_one_hot(ours), _one_hot(theirs)))
        head(panel, title, f"agreement {value:.2f}")
        for sample, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            row, column = divmod(sample, 10)
            colour = FORGET if a != b else UNSEEN if a == 0 else FAINT
            panel.plot(
                [column], [9 - row], "X" if a != b else "s" if a == 0 else "D", color=colour, markersize=7
            )
        panel.set(xlim=(-0.7, 9.7), ylim=(-2.4, 9.7), aspect="equal")
        panel.set_axis_off()
    note(axes[0], -0.3, -1.1, "■ both right", UNSEEN, data=True)
    note(axes[0], -0.3, -2.0, "◆ same error", FAINT, data=True)
    note(axes[1], -0.3, -1.1, "✖ predictions differ", FORGET, data=True)
    sure = 0.5 * rng.normal(size=(200, 2)) + (2.6, 0)
    unsure = 0.1 * rng.normal(size=(200, 2)) + (0.5, 0)
    value = number(prediction_agreement(tensor(sure), tensor(unsure)))
    head(axes[2], "Blind to confidence", f"agreement {value:.2f}")
    hist(axes[2], _first(unsure), np.linspace(0.5, 1, 31), UNSEEN)
    hist(axes[2], _first(sure), np.linspace(0.5, 1, 31), FORGET)
    axes[2].set(xlim=(0.49, 1.01), yticks=[], xlabel="probability of the prediction")
    axes[2].set_ylim(0, 1.2 * axes[2].get_ylim()[1])
    note(axes[2], 0.05, 0.93, "reference", UNSEEN)
    note(axes[2], 0.95, 0.93, "unlearned", FORGET, ha="right")
    return figure


def _pair(ours: Array, theirs: Array, sample: int) -> tuple[Tensor, Tensor]:
    return tensor(ours[sample : sample + 1]), tensor(theirs[sample : sample + 1])


def _corners(logits: Array) -> Array:
    shares = tensor(logits).softmax(1).numpy()
    return np.stack([shares[:, 1] + shares[:, 2] / 2, 0.866 * shares[:, 2]], axis=1).round(4)


def _one_hot(classes: Array) -> Tensor:
    return tensor(np.eye(3)[classes])


def _first(logits: Array) -> Array:
    return tensor(logits).softmax(1)[:, 0].numpy()
