"""Accuracy over the requests of a chain of deletions, as a picture."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

# Okabe and Ito's palette, which stays apart under the common colour-vision deficiencies
STYLES = (
    *(("#0072B2", "s"), ("#D55E00", "o"), ("#009E73", "^"), ("#CC79A7", "D")),
    *(("#E69F00", "v"), ("#56B4E9", "P"), ("#222222", "X"), ("#8A6D00", "*")),
)
PANELS = {"deleted so far": "what was deleted so far", "retain": "what is left", "test": "unseen data"}
REFERENCE = {"deleted so far": "all: right", "retain": "retain", "test": "test"}
LOWEST = 80.0


def draw(runs: list[dict[str, dict]], path: Path) -> None:
    """Mean over seeds, and the range of the seeds as a band; what collapses leaves the picture.

    Args:
        runs: One mapping for each seed: of each model its final numbers, and under `course` those after each request.
        path: The file to write; its suffix is the format.
    """
    figure = Figure(figsize=(10.5, 3.9), dpi=160, layout="constrained", facecolor="white")
    panels = figure.subplots(1, len(PANELS), sharey=True)
    names = [name for name, row in runs[0].items() if row["course"]]
    for axes, (what, title) in zip(panels, PANELS.items(), strict=True):
        for name, (line, (colour, marker)) in zip(names, product("-:", STYLES), strict=False):
            values = 100 * np.array([[row[what] for row in rows[name]["course"]] for rows in runs])
            steps = np.arange(1, values.shape[1] + 1)
            if len(runs) > 1:
                axes.fill_between(steps, values.min(0), values.max(0), color=colour, alpha=0.15, linewidth=0)
            look = {"color": colour, "marker": marker, "linestyle": line, "markersize": 4.5, "linewidth": 1.6}
            axes.plot(steps, values.mean(0), **look, label=name)
        retrained = 100 * np.mean([rows["retrained"][REFERENCE[what]] for rows in runs])
        axes.axhline(
            retrained, color="#444444", linestyle=(0, (5, 3)), linewidth=1.4, label="retrained, at the end"
        )
        axes.set_title(title, loc="left", fontsize=11, color="#222222")
        axes.set_xlabel("request", color="#222222")
        axes.set_xticks(range(0, len(steps) + 1, 5))
        axes.set_ylim(LOWEST, 100.7)
        axes.grid(axis="y", color="#E6E6E6", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors="#222222", length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color("#BBBBBB")
    panels[0].set_ylabel("accuracy (%)", color="#222222")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    figure.savefig(path)
