"""Membership inference by attackers who learn."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestClassifier

from lightning_unlearn.metrics.functional import (
    membership_advantage,
    membership_attack_auc,
    membership_auc,
    membership_balanced_accuracy,
    membership_inference_accuracy,
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


def membership_inference_accuracy_figure() -> Figure:
    """One threshold on the loss finds a shift, and not a spread."""
    rng = np.random.default_rng(5)
    figure, (shift, spread) = panels(2, left=0.15)
    unseen = np.abs(rng.normal(1.5, 0.3, 600))
    half = np.repeat([-1, 1], 300)
    for axes, title, forget in (
        (shift, "Not forgotten: smaller losses", np.abs(rng.normal(1.1, 0.3, 600))),
        (
            spread,
            "Too low or too high: one threshold is blind",
            np.abs(1.5 + 0.8 * half + rng.normal(0, 0.15, 600)),
        ),
    ):
        value = number(membership_inference_accuracy(tensor(forget), tensor(unseen)))
        head(axes, title, f"accuracy of the attack {value:.2f}")
        hist(axes, unseen, np.linspace(0, 3, 41), UNSEEN)
        hist(axes, forget, np.linspace(0, 3, 41), FORGET)
        axes.set(xlim=(0, 3), xlabel="loss of a sample", ylim=(0, 1.15 * axes.get_ylim()[1]))
    mark(shift, x=1.3)
    note(shift, 0.45, 0.93, "threshold", ha="left")
    note(shift, 0.05, 0.7, "forget", FORGET)
    note(shift, 0.95, 0.7, "unseen", UNSEEN, ha="right")
    return figure


def membership_balanced_accuracy_figure() -> Figure:
    """A threshold judged by the samples that it was chosen on finds something in nothing."""
    rng = np.random.default_rng(6)
    figure, (unfamiliar, nothing) = panels(2, left=0.15, gap=0.3)
    unseen, forget = rng.normal(size=300), rng.normal(-1.3, 1, 300)
    value = number(membership_balanced_accuracy(tensor(forget), tensor(unseen)))
    head(unfamiliar, "Less familiar is found as well", f"balanced accuracy {value:.2f}")
    hist(unfamiliar, unseen, np.linspace(-4.5, 3.5, 41), UNSEEN)
    hist(unfamiliar, forget, np.linspace(-4.5, 3.5, 41), FORGET)
    unfamiliar.set_xlabel("score (log-likelihood)")
    note(unfamiliar, 0.02, 0.8, "forget", FORGET)
    note(unfamiliar, 0.98, 0.8, "unseen", UNSEEN, ha="right")

    pairs = [tuple(map(tensor, rng.normal(size=(2, 40)))) for _ in range(100)]
    honest = np.array([number(membership_balanced_accuracy(*pair)) for pair in pairs])
    same = np.array([number((1 + membership_advantage(*pair)) / 2) for pair in pairs])
    head(nothing, "Nothing to find, 100 times 40 and 40 samples", f"mean {honest.mean():.2f}; target 0.50")
    hist(nothing, honest, np.linspace(0.3, 0.75, 19), UNSEEN)
    hist(nothing, same, np.linspace(0.3, 0.75, 19), FAINT)
    mark(nothing, x=0.5)
    nothing.set(xlabel="balanced accuracy", ylim=(0, 1.35 * nothing.get_ylim()[1]))
    note(nothing, 0.02, 0.75, "judged on\nthe other half", UNSEEN)
    note(nothing, 0.98, 0.93, f"on the same samples:\nmean {same.mean():.2f}", FAINT, ha="right")
    return figure


def membership_attack_auc_figure() -> Figure:
    """Two scores that say nothing alone may give all away together; and the attack is what its classifier is."""
    rng = np.random.default_rng(7)
    figure, (pair, ring) = panels(2, height=3.0, gap=0.8)
    common = 2 * rng.normal(size=(150, 1))
    forget = common + 0.4 * rng.normal(size=(150, 2)) + (0.45, -0.45)
    unseen = 2 * rng.normal(size=(150, 1)) + 0.4 * rng.normal(size=(150, 2))
    value = number(membership_attack_auc(tensor(forget), tensor(unseen)))
    alone = [number(membership_auc(tensor(forget[:, k]), tensor(unseen[:, k]))) for k in (0, 1)]
    head(pair, "Two scores at once", f"AUC {value:.2f}, alone {alone[0]:.2f} and {alone[1]:.2f}")
    _clouds(pair, forget, unseen)
    note(pair, 0.98, 0.08, "forget", FORGET, ha="right")
    note(pair, 0.02, 0.93, "unseen", UNSEEN)

    angle = rng.uniform(0, 2 * np.pi, 150)
    forget = 2.2 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.2 * rng.normal(size=(150, 2))
    unseen = 0.7 * rng.normal(size=(150, 2))
    value = number(membership_attack_auc(tensor(forget), tensor(unseen)))
    forest = RandomForestClassifier(50)
    better = number(membership_attack_auc(tensor(forget), tensor(unseen), attack=forest, repeats=1))
    head(ring, "Fooled by a weak classifier", f"regression {value:.2f}, random forest {better:.2f}")
    _clouds(ring, forget, unseen)
    return figure


def _clouds(axes: Axes, forget: Array, unseen: Array) -> None:
    # half of them: the file stays small
    axes.plot(*unseen[::2].T.round(3), "o", color=UNSEEN, markersize=3.5)
    axes.plot(*forget[::2].T.round(3), "^", color=FORGET, markersize=4)
    axes.set(xlabel="first score", ylabel="second score")
