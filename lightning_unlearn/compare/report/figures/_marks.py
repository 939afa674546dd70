"""How each kind of row is drawn: by colour and by shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lightning_unlearn.compare.report._cell import Kind
from lightning_unlearn.rendering import ORIGINAL, REFERENCE, UNLEARNED, VARIANTS

_LONGEST = 28  # letters of a name in a figure; the tables have all of them


@dataclass(frozen=True)
class Mark:
    """Colour and marker; no two kinds share one."""

    colour: str
    marker: str


MARKS: Mapping[Kind, Mark] = {
    "strategy": Mark(UNLEARNED, "o"),
    "fine-tuning": Mark(VARIANTS[0], "^"),
    "ascent": Mark(VARIANTS[1], "v"),
    "nothing": Mark(ORIGINAL, "s"),
    "retraining": Mark(REFERENCE, "D"),
}


def short(name: str) -> str:
    """The name, or its beginning.

    Example:
        >>> short("GradientSurgery with a name of its own")
        'GradientSurgery with a name…'
    """
    name = " ".join(name.split())
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1].rstrip() + "…"
