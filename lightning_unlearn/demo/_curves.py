"""The accuracies over the steps of an unlearning run, as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from lightning_unlearn._files import atomically

# Okabe and Ito's palette, which stays apart under the common colour-vision deficiencies.
_CURVES = {
    "forget_accuracy": ("forget set", "#D55E00", "o"),
    "retain_accuracy": ("retain set", "#0072B2", "s"),
    "test_accuracy": ("test set", "#009E73", "^"),
}
_INK, _FAINT = "#222222", "#8A8A8A"


def accuracy_curves(
    history: Sequence[Mapping[str, float]],
    reference: Mapping[str, float],
    path: Path | str,
    *,
    title: str = "Accuracy while unlearning",
) -> None:
    """Draw the accuracies over the unlearning steps, with the retrained reference as dashed lines, atomically.

    Args:
        history: One mapping for each evaluation, with `step` and any of `forget_accuracy`, `retain_accuracy` and
            `test_accuracy`, in [0, 1]; what a row lacks is a gap.
        reference: The same accuracies of the model that was retrained without the forget set.
        path: The file to write; its suffix is the format.
        title: Printed above the figure.

    Raises:
        ValueError: `history` is empty.

    Example:
        >>> import tempfile
        >>> history = [{"step": 0, "forget_accuracy": 1.0}, {"step": 20, "forget_accuracy": 0.0}]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "accuracy.png")
        ...     accuracy_curves(history, {"forget_accuracy": 0.0}, path)
        ...     path.read_bytes()[1:4]
        b'PNG'
    """
    if not history:
        raise ValueError("`history` must hold at least one row, found none. Evaluate at least once.")
    figure = Figure(figsize=(7.2, 4.2), dpi=160, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    steps = [row["step"] for row in history]
    handles: list[Line2D] = []
    for key, (label, colour, marker) in _CURVES.items():
        if key in reference:
            axes.axhline(100 * reference[key], color=colour, linestyle=(0, (5, 3)), linewidth=1.4)
        values = 100 * np.array([row.get(key, np.nan) for row in history])
        if np.isnan(values).all():
            continue
        handles += axes.plot(
            steps,
            values,
            color=colour,
            marker=marker,
            label=label,
            linewidth=2,
            markersize=6,
            markeredgecolor="white",
            markeredgewidth=0.8,
            clip_on=False,
            zorder=3,
        )
    if reference:
        handles.append(
            Line2D([], [], color=_FAINT, linestyle=(0, (5, 3)), linewidth=1.4, label="retrained reference")
        )
    _decorate(axes, title, steps)
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9.5)
    with atomically(Path(path)) as temporary:
        figure.savefig(temporary)


def _decorate(axes: Axes, title: str, steps: Sequence[float]) -> None:
    axes.set_title(title, loc="left", fontsize=12.5, fontweight="bold", color=_INK, pad=12)
    axes.set_xlabel("unlearning step", color=_INK)
    axes.set_ylabel("accuracy (%)", color=_INK)
    axes.set_ylim(-3, 103)
    if max(steps) > min(steps):
        axes.set_xlim(min(steps), max(steps) + 0.06 * (max(steps) - min(steps)))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_yticks(range(0, 101, 20))
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color("#BBBBBB")
