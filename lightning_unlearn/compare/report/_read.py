"""Cells from files or from plain values, checked and in one order."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning_unlearn.compare.report._cell import Cell
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.rendering import of_plain

_KINDS = ("strategy", "fine-tuning", "ascent", "nothing", "retraining")


def read_cells(folder: Path | str, names: Collection[str] | None = None) -> list[Mapping[str, Any]]:
    """The finished cells of a comparison, for `write_reports`.

    Args:
        folder: the output folder of a comparison; its cells are in `cells/`.
        names: of the files that belong to it; those that are not there are left out. `None`: all that are there.

    Returns:
        What the files say, in the order of their names.

    Raises:
        ConfigurationError: there is no cell, or a file is no cell; it names the first such file.

    Example:
        >>> try:
        ...     read_cells("nowhere")
        ... except ConfigurationError as error:
        ...     print(error)
        `folder` must hold the cells of a comparison, found no file nowhere/cells/*.json. Name its output folder.
    """
    there = sorted(path for path in Path(folder, "cells").glob("*.json") if not path.name.startswith("."))
    found = [path for path in there if names is None or path.name in names]
    if not found:
        raise ConfigurationError(
            f"`folder` must hold the cells of a comparison, found no file {Path(folder, 'cells', '*.json')}. "
            "Name its output folder."
        )
    return [_read(path) for path in found]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        plain: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        of_plain(plain, Cell, "cell")
    except (
        OSError,
        ValueError,
    ) as error:  # among them UnicodeDecodeError, JSONDecodeError, ConfigurationError
        raise ConfigurationError(
            f"`cells` must be files that a comparison has written, found a damaged one, {path}: {error} "
            "Run the comparison again, which makes that cell again, or move the file away."
        ) from error
    return plain


def cells_of(plain: Sequence[Mapping[str, Any]]) -> list[Cell]:
    """The cells, typed, in an order that does not depend on the one they come in.

    Args:
        plain: as their files have them.

    Raises:
        ConfigurationError: there is none, one is no cell, or they cannot be of one comparison.
    """
    if not plain:
        raise ConfigurationError("`cells` must hold at least one cell, found none. Run the comparison first.")
    cells = sorted((_typed(cell) for cell in plain), key=_place)
    rows: dict[Any, Cell] = {}
    for n, cell in enumerate(cells):
        if n and _place(cells[n - 1])[:-1] == _place(cell)[:-1]:
            raise _mixed(cell, "two cells of the same seeds")
        if cell.kind == "strategy":
            first = rows.setdefault((cell.request, cell.entry), cell)
            if (first.strategy, first.settings) != (cell.strategy, cell.settings):
                raise _mixed(cell, "two different configurations")
    return cells


def _typed(plain: Mapping[str, Any]) -> Cell:
    cell: Cell = of_plain(plain, Cell, "cell")
    return replace(cell, evaluations=sorted(cell.evaluations, key=lambda evaluation: evaluation.seed))


def _mixed(cell: Cell, found: str) -> ConfigurationError:
    return ConfigurationError(
        f"`cells` must be of one comparison, found {found} for {cell.entry!r} in {cell.request!r}. Run the comparison "
        "again with its configuration, which reports its own cells only, or move those of another one away."
    )


def _place(cell: Cell) -> tuple[Any, ...]:
    seeds = cell.seeds
    entry = cell.entry if cell.kind == "strategy" else ""
    controls = cell.controls if cell.kind in ("fine-tuning", "ascent") else None
    numbers = (
        seed if seed is not None else -1 for seed in (seeds.original, seeds.unlearning, seeds.reference)
    )
    return (cell.request, _KINDS.index(cell.kind), entry, controls or "", *numbers, cell.key)
