"""What a process is asked to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias


class Progress(Protocol):
    """How far a job is; can be pickled."""

    @property
    def done(self) -> float:
        """Share of the work, 0 to 1; 0 if nobody knows."""

    @property
    def said(self) -> str:
        """The same in a few words."""


Report: TypeAlias = Callable[[Progress], None]


class Job(Protocol):
    """Work for one process; can be pickled."""

    @property
    def name(self) -> str:
        """What it is called in a display and where failures are said; no two jobs of a call have the same."""

    @property
    def log(self) -> Path:
        """Where everything goes that is printed meanwhile; the job removes it if all went well."""

    def run(self, report: Report) -> None:
        """Do it, in the process."""

    def clean_fragments(self) -> None:
        """Remove what a process that was ended on purpose was writing."""
