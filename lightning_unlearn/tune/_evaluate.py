"""Cells: those that are there, and those that are still to be made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lightning_unlearn.compare._cell import versions
from lightning_unlearn.compare._job import NOT_WRITTEN, CellJob
from lightning_unlearn.errors import UnlearningError
from lightning_unlearn.processes import Pool, Watcher


class Evaluator:
    """Makes cells, unless they are there.

    Args:
        pool: of processes.
        watcher: is told what happens.
    """

    def __init__(self, pool: Pool, watcher: Watcher) -> None:
        self._pool, self._watcher = pool, watcher

    def __call__(self, jobs: Sequence[CellJob]) -> list[Mapping[str, Any]]:
        """The cells, in the order of the jobs; one that failed has an `error`.

        Raises:
            UnlearningError: one could not be written, of which the strategy is not guilty.
        """
        there = {job.name: cell for job in jobs if (cell := read_cell(job)) is not None}
        for job in jobs:
            if job.name in there:
                self._watcher.ended(job, None)
        failures = self._pool.run([job for job in jobs if job.name not in there], self._watcher)
        for failure in failures.values():
            if failure.startswith(NOT_WRITTEN):
                raise UnlearningError(failure)
        return [there.get(job.name) or _made(job, failures) for job in jobs]


def read_cell(job: CellJob) -> Mapping[str, Any] | None:
    """What the file of a cell says, if it is there, complete, and made by this version of the package."""
    try:
        cell: dict[str, Any] = json.loads(job.path.read_text("utf-8"))
        is_it = (cell["key"], cell["versions"], cell["error"]) == (job.cell.key, versions(), None)
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return cell if is_it else None


def _made(job: CellJob, failures: Mapping[str, str]) -> Mapping[str, Any]:
    cell = None if job.name in failures else read_cell(job)
    return cell or job.cell.failed(failures.get(job.name, f"{job.path} is gone."))
