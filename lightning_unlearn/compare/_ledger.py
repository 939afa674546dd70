"""Which cells are there already."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_unlearn.compare._cell import versions
from lightning_unlearn.compare._job import CellJob
from lightning_unlearn.compare.report._cell import Cell as Known
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.rendering import of_plain


class Ledger:
    """The cells of a plan that need not be made again.

    Args:
        jobs: all cells of the plan.
    """

    def __init__(self, jobs: Sequence[CellJob]) -> None:
        self.finished: dict[str, Mapping[str, Any]] = {}
        self._damaged: list[Path] = []
        self._failed = 0
        self._others: Counter[str] = Counter()
        for job in jobs:
            self._look(job)

    def said(self) -> list[str]:
        """What a user should know of them, a sentence each."""
        sentences = []
        if self.finished:
            sentences.append(f"{_cells(len(self.finished))} there already.")
        for version, count in sorted(self._others.items()):
            sentences.append(f"{_cells(count)} of another version ({version}), and made again.")
        sentences += [f"{path} is damaged, and made again." for path in self._damaged]
        if self._failed:
            sentences.append(f"{_cells(self._failed)} tried again, after a failure.")
        return sentences

    def _look(self, job: CellJob) -> None:
        try:
            content = json.loads(job.path.read_text("utf-8"))
        except FileNotFoundError:
            return
        except (OSError, ValueError):  # the latter: no JSON, no UTF-8
            self._damaged.append(job.path)
            return
        if not _is_cell(content) or content["key"] != job.cell.key:
            self._damaged.append(job.path)
        elif content["versions"] != versions():
            made_by = content["versions"]
            self._others[", ".join(f"{name} {made_by[name]}" for name in sorted(made_by))] += 1
        elif content["error"] is not None:
            self._failed += 1
        else:
            self.finished[job.name] = content


def _cells(count: int) -> str:
    return "1 cell is" if count == 1 else f"{count} cells are"


def _is_cell(content: Any) -> bool:
    try:
        cell = of_plain(content, Known, "cell")
    except ConfigurationError:
        return False
    return bool(cell.evaluations) != (cell.error is not None)
