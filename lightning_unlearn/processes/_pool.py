"""Processes beside one another, none of which is left behind."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from types import TracebackType
from typing import Protocol

from typing_extensions import Self

from lightning_unlearn.processes._job import Job, Progress
from lightning_unlearn.processes._process import Process


class Watcher(Protocol):
    """Is told what happens."""

    def progress(self, job: Job, progress: Progress) -> None:
        """A job is under way."""

    def ended(self, job: Job, failure: str | None) -> None:
        """A job is done, or why it is not."""


class Pool:
    """Processes that live as long as a `with` block, none of which is left behind by it, whatever ends it, Ctrl-C included.

    Args:
        processes: how many run beside one another, ≥ 1; they are started when there is work for them.
        reuse: whether a process that has done its job is given another one; one that has failed never is. Starting a
            process takes seconds, but a job may then find what the one before has left in its process.
    """

    def __init__(self, processes: int, *, reuse: bool = False) -> None:
        self._processes, self._reuse = processes, reuse
        self._busy: list[Process] = []
        self._idle: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _without_interrupt():
            self._kill(self._busy)
            for one in self._idle:
                one.connection.close()
            for one in self._idle:
                one.dismiss()

    def run(self, jobs: Sequence[Job], watcher: Watcher) -> dict[str, str]:
        """Run all jobs; one that fails does not stop the others.

        One whose process is killed is begun once more: another one may have taken the memory.

        Args:
            jobs: in the order in which they are begun.
            watcher: is told what happens, in this process.

        Returns:
            Why it failed, by the name of the job.
        """
        waiting, failures, killed = deque(jobs), dict[str, str](), set[str]()
        while waiting or self._busy:
            while waiting and len(self._busy) < self._processes:
                with _without_interrupt():
                    self._busy.append(self._idle.pop() if self._idle else Process())
                self._busy[-1].give(waiting.popleft())
            wait([one.connection for one in self._busy])
            for one in list(self._busy):
                last = one.hear(watcher.progress)
                if last is None:
                    continue
                self._busy.remove(one)
                if one.died_before:
                    waiting.appendleft(one.job)
                    continue
                if last.killed and one.job.name not in killed:
                    killed.add(one.job.name)
                    one.clean()
                    waiting.append(one.job)
                    continue
                if self._reuse and last.failure is None:
                    self._idle.append(one)
                else:
                    one.dismiss()
                if last.failure is not None:
                    failures[one.job.name] = last.failure
                watcher.ended(one.job, last.failure)
        return failures

    def _kill(self, processes: Sequence[Process]) -> None:
        for one in processes:
            one.kill()
        for one in processes:
            one.join()
            one.clean()


def run_all(jobs: Sequence[Job], processes: int, watcher: Watcher, *, reuse: bool = False) -> dict[str, str]:
    """Run all jobs in a :class:`Pool` of their own, and say why they failed, by name."""
    with Pool(processes, reuse=reuse) as pool:
        return pool.run(jobs, watcher)


@contextmanager
def _without_interrupt() -> Iterator[None]:
    """A process that starts meanwhile does not hear of Ctrl-C, nor does this one until the end."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
