"""One row for each of a few jobs, in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from typing_extensions import Self

from lightning_unlearn.processes._job import Job, Progress


class Rows:
    """How far each job is, and time left; nothing where the console is no terminal.

    Args:
        console: where it is shown.
        jobs: a row for each.
    """

    def __init__(self, console: Console, jobs: Sequence[Job]) -> None:
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[state]:<26}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal or console.quiet,
        )
        self._rows: dict[str, TaskID] = {}
        for job in jobs:
            self._rows[job.name] = self._bars.add_task(job.name, total=1.0, start=False, state="waiting")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def progress(self, job: Job, progress: Progress) -> None:
        """Move the row of a job."""
        row = self._rows[job.name]
        self._bars.start_task(row)
        self._bars.update(row, completed=progress.done, state=progress.said)

    def ended(self, job: Job, failure: str | None) -> None:
        """Say how it ended."""
        row = self._rows[job.name]
        if failure is None:
            self._bars.update(row, completed=1.0, state="done")
        else:
            self._bars.update(row, state="[red]failed[/red]")
