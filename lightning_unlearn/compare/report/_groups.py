"""Which cells make a row, and which are missing in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightning_unlearn.compare.report._cell import Cell, Kind, Seeds, failure
from lightning_unlearn.compare.report._summary import Failure, Settings

CONTROLS: Mapping[Kind, str] = {
    "fine-tuning": "retain fine-tuning",
    "ascent": "ascent",
    "nothing": "do nothing",
    "retraining": "retraining",
}
UNLEARNED = ("strategy", "fine-tuning", "ascent")


@dataclass(frozen=True)
class Group:
    """The cells of one row.

    Attributes:
        name: of the row.
        kind: what it is.
        letter: of its settings.
        strategy: class and arguments, if anything unlearns.
        cells: those with numbers.
        failed: those without.
        missing: seeds without a cell.
    """

    name: str
    kind: Kind
    letter: str | None
    strategy: Mapping[str, Any] | None
    cells: Sequence[Cell]
    failed: Sequence[Failure]
    missing: Sequence[Seeds]

    @property
    def complete(self) -> bool:
        """Whether every cell is there and has numbers."""
        return bool(self.cells) and not self.failed and not self.missing


def settings_of(cells: Sequence[Cell]) -> dict[str, Settings]:
    """Letters for the settings of a request, by their identifier: in the order of what they say.

    Example:
        >>> settings_of([])
        {}
    """
    values = {c.controls: c.settings for c in cells if c.controls is not None and c.settings is not None}
    ordered = sorted(values, key=lambda name: (json.dumps(values[name], sort_keys=True, default=str), name))
    return {name: Settings(_letter(n), values[name]) for n, name in enumerate(ordered)}


def groups(request: Sequence[Cell], everything: Sequence[Cell]) -> list[Group]:
    """The rows of a request: strategies by name, then the controls.

    Args:
        request: its cells, in order.
        everything: cells of all requests, which say what seeds a row should have.
    """
    letters = {name: found.letter for name, found in settings_of(request).items()}
    several = len(letters) > 1
    found: dict[tuple[str, str | None], list[Cell]] = {}
    for cell in request:
        row = {"strategy": cell.entry, "fine-tuning": cell.controls, "ascent": cell.controls}.get(cell.kind)
        found.setdefault((cell.kind, row), []).append(cell)
    rows = []
    for cells in found.values():
        kind, letter = cells[0].kind, letters.get(cells[0].controls or "")
        name = cells[0].entry if kind == "strategy" else CONTROLS[kind]
        there = {cell.seeds for cell in cells}
        rows.append(
            Group(
                f"{name} ({letter})" if several and letter else name,
                kind,
                letter,
                cells[0].strategy,
                [cell for cell in cells if failure(cell) is None],
                [Failure(cell.seeds, reason) for cell in cells if (reason := failure(cell)) is not None],
                [seeds for seeds in _wanted(kind, everything) if seeds not in there],
            )
        )
    return rows


def absent_controls(request: Sequence[Cell]) -> list[str]:
    """Controls that a strategy of the request should stand beside, and that have no cell at all."""
    there = {(cell.kind, cell.controls) for cell in request}
    letters = settings_of(request)
    found = []
    kinds: tuple[Kind, ...] = ("fine-tuning", "ascent")
    for kind in kinds:
        absent = [settings.letter for name, settings in letters.items() if (kind, name) not in there]
        if absent:
            found.append(CONTROLS[kind] + (f" ({', '.join(absent)})" if len(letters) > 1 else ""))
    return found + ([] if "nothing" in dict(there) else [CONTROLS["nothing"]])


def _wanted(kind: Kind, everything: Sequence[Cell]) -> list[Seeds]:
    unlearned = {cell.seeds for cell in everything if cell.kind in UNLEARNED}
    if kind in UNLEARNED:
        return sorted(unlearned, key=_numbers)
    same = {cell.seeds for cell in everything if cell.kind == kind}
    if kind == "nothing":
        for seeds in same | unlearned:
            if not any(seeds.original == one.original for one in same):
                same.add(Seeds(seeds.original, None, None))
    return sorted(same, key=_numbers)


def _numbers(seeds: Seeds) -> tuple[Any, ...]:
    return tuple(-1 if seed is None else seed for seed in (seeds.original, seeds.unlearning, seeds.reference))


def _letter(n: int) -> str:
    return chr(ord("A") + n) if n < 26 else str(n + 1)
