"""What a model reads before and after unlearning, as a picture."""

from collections import Counter
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_unlearn._files import atomically

_RIGHT, _WRONG, _INK, _FAINT = "#0072B2", "#D55E00", "#222222", "#8A8A8A"
_TILE, _GAP, _LABEL, _HEADING, _MARGIN = 0.74, 0.14, 0.30, 0.42, 0.3  # inches


def prediction_grid(
    images: Tensor,
    targets: Tensor,
    before: Tensor,
    after: Tensor,
    forgotten: Tensor,
    path: Path | str,
    *,
    columns: int = 10,
    rows: int = 2,
    title: str = "What the model reads, before → after unlearning",
) -> None:
    """Draw digits with their predictions before and after, those to be forgotten above the others, atomically.

    Samples are taken from the classes in turn, so that as many classes as possible are seen; images are smoothed,
    since 8 x 8 squares are hard to read. A right prediction is
    plain and blue, a wrong one white on orange, so that they differ without colour as well.

    Args:
        images: Grey images of shape (N, 1, H, W) with values in [0, 1].
        targets: Classes of shape (N,).
        before: Predicted classes of the original model, shape (N,).
        after: Predicted classes of the unlearned model, shape (N,).
        forgotten: Which samples were to be forgotten, bool, shape (N,).
        path: The file to write; its suffix is the format.
        columns: Images in a row.
        rows: Rows for the forgotten ones, and as many for the others; fewer where there are fewer samples.
        title: Printed above the figure.

    Raises:
        ValueError: The tensors do not have the same length, or there are no images.

    Example:
        >>> import tempfile
        >>> from lightning_unlearn.demo import Digits
        >>> digits = Digits(train=False)
        >>> images, targets = digits.images, digits.targets
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "digits.png")
        ...     prediction_grid(images, targets, targets, targets, targets == 3, path, columns=4, rows=1)
        ...     path.read_bytes()[1:4]
        b'PNG'
    """
    lengths = sorted({len(tensor) for tensor in (images, targets, before, after, forgotten)})
    if len(lengths) > 1 or lengths == [0]:
        raise ValueError(
            "`images`, `targets`, `before`, `after` and `forgotten` must have one common length of at least 1, "
            f"found {', '.join(map(str, lengths))}. Pass one entry for each image."
        )
    images, targets, before, after, forgotten = (
        tensor.detach().cpu() for tensor in (images, targets, before, after, forgotten.bool())
    )
    groups = {
        "To be forgotten": _in_turn(targets, forgotten, columns * rows),
        "To be kept": _in_turn(targets, ~forgotten, columns * rows),
    }
    groups = {name: chosen for name, chosen in groups.items() if chosen}
    height = (
        2 * _HEADING
        + 0.1
        + sum(_HEADING + -(-len(chosen) // columns) * (_TILE + _LABEL + _GAP) for chosen in groups.values())
    )
    sheet = _Sheet(2 * _MARGIN + columns * (_TILE + _GAP) - _GAP, height)
    sheet.write(title, _MARGIN, _HEADING / 2, fontsize=12.5, fontweight="bold", color=_INK)
    top = _HEADING
    for name, chosen in groups.items():
        sheet.write(name, _MARGIN, top + _HEADING / 2, fontsize=10.5, color=_INK)
        top += _HEADING
        for place, index in enumerate(chosen):
            row, column = divmod(place, columns)
            left, upper = _MARGIN + column * (_TILE + _GAP), top + row * (_TILE + _LABEL + _GAP)
            sheet.image(images[index, 0], left, upper)
            centre, line = left + _TILE / 2, upper + _TILE + _LABEL / 2
            truth = targets[index]
            sheet.prediction(before[index], before[index] == truth, centre - 0.22, line)
            sheet.write("→", centre, line, ha="center", fontsize=10, color=_FAINT)
            sheet.prediction(after[index], after[index] == truth, centre + 0.22, line)
        top += -(-len(chosen) // columns) * (_TILE + _LABEL + _GAP)
    sheet.legend(top + _HEADING / 2)
    with atomically(Path(path)) as temporary:
        sheet.figure.savefig(temporary)


def _in_turn(targets: Tensor, mask: Tensor, count: int) -> list[int]:
    """Indices under the mask: the first of every class, then the second of every class, and so on."""
    indices = mask.nonzero().flatten().tolist()
    seen: Counter[int] = Counter()
    turns = {}
    for index in indices:
        label = int(targets[index])
        turns[index] = (seen[label], label)
        seen[label] += 1
    return sorted(indices, key=turns.__getitem__)[:count]


class _Sheet:
    """A figure measured in inches from its upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), dpi=160, facecolor="white")

    def write(self, text: str, left: float, line: float, **style: Any) -> None:
        self.figure.text(left / self.width, 1 - line / self.height, text, va="center_baseline", **style)

    def image(self, image: Tensor, left: float, top: float) -> None:
        width, height = _TILE / self.width, _TILE / self.height
        axes = self.figure.add_axes((left / self.width, 1 - top / self.height - height, width, height))
        axes.imshow(image.float().numpy(), cmap="gray_r", vmin=0, vmax=1, interpolation="bicubic")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color("#D0D0D0")

    def prediction(self, label: Tensor, right: Tensor, centre: float, line: float) -> None:
        box = None if right else {"boxstyle": "round,pad=0.22", "facecolor": _WRONG, "edgecolor": "none"}
        colour = _RIGHT if right else "white"
        self.write(
            str(int(label)), centre, line, ha="center", fontsize=10, fontweight="bold", color=colour, bbox=box
        )

    def legend(self, line: float) -> None:
        for left, right, text in (
            (_MARGIN + 0.1, True, "right prediction"),
            (_MARGIN + 1.6, False, "wrong prediction"),
        ):
            self.prediction(torch.tensor(3), torch.tensor(right), left, line)
            self.write(text, left + 0.2, line, fontsize=9.5, color=_INK)
