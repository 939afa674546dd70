"""The score of the 2023 challenge."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lightning_unlearn.metrics.functional import (
    forgetting_quality,
    unlearning_competition_score,
    unlearning_epsilons,
)
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
    rows_and_panel,
    tensor,
)


def forgetting_quality_figure() -> Figure:
    """The map from error rates to ε, and three sets of models with their F."""
    rng = np.random.default_rng(23)
    figure, rows, plane = rows_and_panel(3, height=3.6)
    retrained = rng.normal(size=(64, 100))
    cases = (
        ("Retrained beside retrained", rng.normal(size=(64, 100)), UNSEEN),
        ("Not forgotten", rng.normal(1.5, 1, (64, 100)), FORGET),
        ("Fooled: all exactly equal", np.zeros((64, 100)), FORGET),
    )
    nearly = number(forgetting_quality(tensor(0.001 * rng.normal(size=(64, 100))), tensor(retrained)))
    for axes, (title, unlearned, colour), extra in zip(
        rows, cases, ("", "", f" (nearly: {nearly:.2f})"), strict=True
    ):
        quality = number(forgetting_quality(tensor(unlearned), tensor(retrained)))
        axes.set_title(f"{title}: F {quality:.2f}{extra}", loc="left", fontsize=9, weight="bold")
        hist(axes, retrained[:, :8].ravel(), np.linspace(-4, 5, 46), FAINT)
        hist(axes, unlearned[:, :8].ravel(), np.linspace(-4, 5, 46), colour)
    rows[2].set_ylim(0, 1)
    rows[-1].set_xlabel("logit gap")
    note(rows[0], 0.98, 0.7, "retrained", FAINT, ha="right")

    for step in range(1, 9):
        corner = round(float(np.exp(-step / 2)), 4)
        plane.fill([0, 1, corner, 0], [0, 0, 0, 1], color=UNSEEN, alpha=0.09, linewidth=0)
        plane.fill([0, corner, 0], [0, 0, 1], color=UNSEEN, alpha=0.09, linewidth=0)
        plane.fill([0, 1, 0], [0, 0, corner], color=UNSEEN, alpha=0.09, linewidth=0)
    ours, theirs = cases[1][1][:, :1], retrained[:, :1]
    false, missed = _errors(ours, theirs)
    plane.plot(false, missed, color=FORGET)
    epsilon = number(unlearning_epsilons(tensor(ours), tensor(theirs))[0])
    head(plane, "One sample that is not forgotten", f"its best threshold: ε {epsilon:.2f}")
    plane.set(xlim=(0, 1), ylim=(0, 1), xlabel="false positive rate", ylabel="false negative rate")
    note(plane, 0.97, 0.9, "ε < 0.5: counts 1", ha="right")
    note(plane, 0.97, 0.82, "each step, ε + 0.5, counts half", UNSEEN, ha="right")
    return figure


def unlearning_competition_score_figure() -> Figure:
    """A product: accuracy beyond the retrained model's pays for what was not forgotten."""
    rng = np.random.default_rng(24)
    figure, axes = panels(4, left=1.5, gap=0.28)
    retrained, accuracies = rng.normal(size=(64, 200)), tensor([[0.95, 0.80]])
    methods = {
        "retrained": (0.0, (0.95, 0.80)),
        "unlearned": (0.5, (0.94, 0.79)),
        "unlearned, less\naccurate": (0.5, (0.80, 0.66)),
        "forgot less,\nbetter trained": (0.6, (1.0, 0.90)),
    }
    table = []
    for shift, (retain, test) in methods.values():
        gaps = tensor(rng.normal(shift, 1, (64, 200))), tensor(retrained)
        score = unlearning_competition_score(*gaps, tensor([[retain, test]]), accuracies)
        table.append([number(forgetting_quality(*gaps)), retain / 0.95, test / 0.80, number(score)])
    for panel, title, operator, column in zip(
        axes,
        ("F", "× retain accuracy", "× test accuracy", "= score"),
        ("", "÷ retrained", "÷ retrained", "target: retrained"),
        zip(*table, strict=True),
        strict=True,
    ):
        head(panel, title, operator)
        panel.barh(range(4), column, 0.6, color=[UNSEEN, FORGET, FORGET, FORGET])
        for row, value in enumerate(column):
            note(panel, value, row, f" {value:.2f}", data=True)
        panel.set(xlim=(0, 1.6 * max(column)), yticks=[], xticks=[])
        panel.spines.bottom.set_visible(False)
        panel.invert_yaxis()
    for row, name in enumerate(methods):
        note(
            axes[0], -1.1, 0.875 - 0.25 * row + 0.05 * name.count("\n"), name, UNSEEN if row == 0 else FORGET
        )
    return figure


def _errors(unlearned: Array, retrained: Array) -> tuple[Array, Array]:
    """Rates of the attacks that call a model unlearned if its gap is at least a threshold."""
    thresholds = np.sort(np.concatenate([unlearned, retrained]), axis=0)
    return (thresholds <= retrained.T).mean(1), (thresholds > unlearned.T).mean(1)
