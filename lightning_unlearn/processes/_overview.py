"""One bar for many jobs, and a row for each that is under way."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from typing_extensions import Self

from lightning_unlearn.processes._job import Job, Progress

_WINDOW = 600.0  # seconds of the past that the time left is estimated from
_PAUSE = 60.0  # seconds between two lines where there is no terminal


class Overview:
    """How many of all jobs are done and have failed, the time left, and what is under way; without a terminal a line now and then.

    Args:
        console: where it is shown.
        total: number of jobs.
    """

    def __init__(self, console: Console, total: int) -> None:
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(20),
            TextColumn("{task.fields[state]}", markup=False),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal or console.quiet,
            speed_estimate_period=_WINDOW,
        )
        self._lines = None if console.is_terminal or console.quiet else console
        self._total, self._done, self._failed, self._said = total, 0, 0, time.monotonic()
        self._all = self._bars.add_task("all", total=float(total), state=f"0/{total}")
        self._shares: dict[str, float] = {}
        self._rows: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def progress(self, job: Job, progress: Progress) -> None:
        """Show a job that is under way."""
        if job.name not in self._rows:
            self._rows[job.name] = self._bars.add_task(job.name, total=1.0, state="")
        self._shares[job.name] = progress.done
        self._bars.update(self._rows[job.name], completed=progress.done, state=progress.said)
        self._move()

    def ended(self, job: Job, failure: str | None) -> None:
        """Count a job, and take its row away."""
        self._done += failure is None
        self._failed += failure is not None
        self._shares.pop(job.name, None)
        if job.name in self._rows:
            self._bars.remove_task(self._rows.pop(job.name))
        self._move()
        if self._lines is not None and time.monotonic() >= self._said + _PAUSE:
            self._said = time.monotonic()
            self._lines.print(f"{self._counted}: {job.name}", markup=False, highlight=False, soft_wrap=True)

    @property
    def _counted(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{self._done}/{self._total}{failed}"

    def _move(self) -> None:
        ended = self._done + self._failed
        self._bars.update(self._all, completed=ended + sum(self._shares.values()), state=self._counted)
