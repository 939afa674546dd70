"""One row for each reference that is trained, in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from typing_extensions import Self

from lightning_unlearn.reference._keeper import Progress as Place
from lightning_unlearn.reference._train import Job


class Display:
    """Epoch, loss and time left; nothing where the console is no terminal.

    Args:
        console: where it is shown.
        jobs: a row for each.
    """

    def __init__(self, console: Console, jobs: Sequence[Job]) -> None:
        shown = console.is_terminal and not console.quiet
        self._bars = Progress(
            TextColumn("seed {task.fields[seed]}"),
            BarColumn(),
            TextColumn("{task.fields[state]:<26}"),
            TimeRemainingColumn(),
            console=console,
            disable=not shown,
        )
        self._rows: dict[int, TaskID] = {}
        for job in jobs:
            seed = job.stamp.seed
            self._rows[seed] = self._bars.add_task("", total=1.0, start=False, seed=seed, state="waiting")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def progress(self, job: Job, progress: Place) -> None:
        """Move the row of a reference."""
        row = self._rows[job.stamp.seed]
        loss = "" if progress.loss is None else f", loss {progress.loss:.4g}"
        self._bars.start_task(row)
        self._bars.update(row, completed=progress.done, state=f"epoch {progress.epoch}{loss}")

    def ended(self, job: Job, failure: str | None) -> None:
        """Say how it ended."""
        row = self._rows[job.stamp.seed]
        if failure is None:
            self._bars.update(row, completed=1.0, state="done")
        else:
            self._bars.update(row, state="[red]failed[/red]")
