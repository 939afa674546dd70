"""A process, seen from the one that has started it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from lightning_unlearn.processes._job import Job, Progress
from lightning_unlearn.processes._worker import SHOWN, Ended, Order, work

_PATIENCE = 10.0  # seconds for a process that has nothing more to do


class Process:
    """Does one job after another; starts at once."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(target=work, args=(theirs,))
        self._process.start()
        theirs.close()
        self._job: Job | None = None
        self._is_new = True
        self.connection: Connection = ours

    @property
    def job(self) -> Job:
        """The last one that it was given."""
        assert self._job is not None
        return self._job

    def give(self, job: Job) -> None:
        """Ask for a job."""
        self._is_new = self._job is None
        self._job = job
        job.log.unlink(missing_ok=True)  # that it is there again is the sign that the job has begun
        with suppress(OSError):  # it is dead: `hear` will say so
            self.connection.send(Order(job.log, pickle.dumps(job)))

    def hear(self, progress: Callable[[Job, Progress], None]) -> Ended | None:
        """Hand on what has been said; the last words, once there are some, also on behalf of a dead process."""
        try:
            while self.connection.poll():
                message = self.connection.recv()
                if isinstance(message, Ended):
                    return message
                progress(self.job, message)
        except (EOFError, OSError):
            self.dismiss()
            return self._obituary()
        return None

    @property
    def died_before(self) -> bool:
        """Whether it is dead and its last job has no part in that."""
        return self._process.exitcode is not None and not self._is_new and not self.job.log.exists()

    def dismiss(self) -> None:
        """Let it end by itself, if it can."""
        self.connection.close()
        self._process.join(_PATIENCE)
        self.kill()

    def kill(self) -> None:
        """End it and what it has started: they are a group of its number, once it has got so far."""
        if self._process.exitcode is None:
            assert self._process.pid is not None
            with suppress(ProcessLookupError, AttributeError):  # the latter: Windows has no groups
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()

    def join(self) -> None:
        """Wait until it is gone."""
        self._process.join()

    def clean(self) -> None:
        """Remove what it was writing."""
        if self._job is not None:
            self._job.clean_fragments()

    def _obituary(self) -> Ended:
        self.join()
        code = self._process.exitcode
        try:
            last = "\n".join(self.job.log.read_text(errors="replace").splitlines()[-SHOWN:])
        except OSError:
            return Ended(
                f"The process ended before it began, exit code {code}. A script must start processes under "
                '`if __name__ == "__main__":`, since they import the script.'
            )
        said = f"The process ended by itself, twice, exit code {code} (-9: killed, often for memory).\n{last}"
        return Ended(said.rstrip(), killed=True)
