"""U-LiRA: a likelihood ratio for every sample."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure

from lightning_unlearn.metrics.functional import (
    ulira_accuracy,
    ulira_scores,
)
from metric_figures.style import (
    FAINT,
    FORGET,
    UNSEEN,
    head,
    mark,
    note,
    number,
    panels,
    tensor,
)


def ulira_accuracy_figure() -> Figure:
    """Two normals a sample; a mean hides the sample that is known; a weak attacker sees nothing."""
    rng = np.random.default_rng(22)
    figure, (normals, hidden, weak) = panels(3, left=0.15, gap=0.5)
    unlearned, never = rng.normal(2, 1, (64, 1)), rng.normal(0, 1.2, (64, 1))
    grid = np.linspace(-4, 6, 101)
    scores = ulira_scores(tensor(grid[:, None]), tensor(unlearned), tensor(never))[:, 0].numpy()
    for values, colour in ((never, UNSEEN), (unlearned, FORGET)):
        spread = values.std(ddof=1)
        normals.plot(grid, np.exp(-(((grid - values.mean()) / spread) ** 2) / 2) / spread, color=colour)
    called = {"where": scores > 0.5, "color": FORGET, "alpha": 0.12, "linewidth": 0}
    normals.fill_between(grid, 0, 1, **called, transform=normals.get_xaxis_transform())
    accuracy = _accuracy(rng, 2.0, 64, 1)
    head(normals, "One sample: shaded = “unlearned”", f"accuracy {accuracy:.2f}; target 0.50")
    normals.set(yticks=[], xlabel="logit gap of the victim", ylim=(0, 1.35))
    normals.spines.left.set_visible(False)
    note(normals, 0.02, 0.92, "never trained", UNSEEN)
    note(normals, 0.98, 0.92, "unlearned", FORGET, ha="right")

    each = np.sort([_accuracy(rng, shift, 64, 1) for shift in [0.0] * 18 + [8.0] * 2])
    head(hidden, "20 samples, 2 known for sure", f"mean {each.mean():.2f}")
    hidden.bar(range(20), each, color=[FORGET if value > 0.9 else FAINT for value in each])
    mark(hidden, y=0.5)
    hidden.set(ylim=(0, 1.05), yticks=(0, 0.5, 1), xticks=[], xlabel="samples", ylabel="accuracy")

    counts = np.array([2, 4, 8, 16, 64])
    for shared, colour in ((False, FORGET), (True, UNSEEN)):
        found = [_accuracy(rng, 1.5, count, 200, shared) for count in counts]
        weak.plot(counts, found, "o-", color=colour, markersize=4)
        if not shared:
            head(weak, "Same victims, weak attackers", f"2 models {found[0]:.2f}, 64: {found[-1]:.2f}")
    weak.set(xscale="log", ylim=(0.48, 0.82), xticks=(2, 8, 64), xlabel="attacker's models of each kind")
    weak.set_xticklabels(["2", "8", "64"])
    weak.minorticks_off()
    note(weak, 0.98, 0.42, "shared variance", UNSEEN, ha="right")
    note(weak, 0.98, 0.28, "own variances", FORGET, ha="right")
    return figure


def _accuracy(
    rng: np.random.Generator, shift: float, models: int, samples: int, shared: bool = False
) -> float:
    unlearned, never = rng.normal(shift, 1, (models, samples)), rng.normal(size=(models, samples))
    victims = rng.normal(size=(200, samples))
    victims[:100] += shift
    kinds = torch.arange(200) < 100
    return number(
        ulira_accuracy(tensor(victims), kinds, tensor(unlearned), tensor(never), shared_variance=shared)
    )
