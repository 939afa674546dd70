"""One line that says how far an audit is."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from typing_extensions import Self


class AuditProgress:
    """A bar over all batches of an audit.

    Args:
        total: number of batches.
        show: whether to draw it.
        console: where; `None` for standard error.
    """

    def __init__(self, total: int, *, show: bool, console: Console | None = None) -> None:
        self._bar = Progress(
            TextColumn("audit: {task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
            disable=not show,
            transient=True,
        )
        self._task = self._bar.add_task("", total=total)

    def say(self, what: str) -> None:
        """What comes next."""
        self._bar.update(self._task, description=what)

    def step(self, count: int = 1) -> None:
        """Some batches are done."""
        self._bar.advance(self._task, count)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
