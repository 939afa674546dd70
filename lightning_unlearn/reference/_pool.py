"""Processes beside one another, none of which is left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import NamedTuple, Protocol

from lightning_unlearn.reference._keeper import Progress
from lightning_unlearn.reference._train import Job
from lightning_unlearn.reference._worker import Failure, work


class Watcher(Protocol):
    """Is told what happens."""

    def progress(self, job: Job, progress: Progress) -> None:
        """A reference is under way."""

    def ended(self, job: Job, failure: str | None) -> None:
        """A process has ended."""


class _Running(NamedTuple):
    job: Job
    process: SpawnProcess
    connection: Connection


def run_all(jobs: Sequence[Job], processes: int, watcher: Watcher) -> dict[int, str]:
    """Run all jobs, at most so many at a time; one that fails does not stop the others.

    Whatever ends this function, Ctrl-C included, ends the processes too.

    Returns:
        Why it failed, by seed.
    """
    waiting, running, failures = deque(jobs), list[_Running](), dict[int, str]()
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                with _without_interrupt():
                    running.append(_start(waiting.popleft()))
            wait([one.connection for one in running])
            for one in list(running):
                last = _hear(one, watcher)
                if last is not None:
                    running.remove(one)
                    failure = _end_of(one, last)
                    if failure is not None:
                        failures[one.job.stamp.seed] = failure
                    watcher.ended(one.job, failure)
    finally:
        with _without_interrupt():
            for one in running:
                _kill(one.process)
            for one in running:
                one.process.join()
                one.job.clean_fragments()
    return failures


def _start(job: Job) -> _Running:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(job, theirs), name=job.stamp.name)
    process.start()
    theirs.close()
    return _Running(job, process, ours)


def _hear(one: _Running, watcher: Watcher) -> str | None:
    """What has been said; the last words (empty if there were none) once the process has hung up."""
    try:
        while one.connection.poll():
            message = one.connection.recv()
            if isinstance(message, Failure):
                return message.text
            watcher.progress(one.job, message)
    except (EOFError, OSError):
        return ""
    return None


def _end_of(one: _Running, last: str) -> str | None:
    one.process.join()
    one.connection.close()
    if one.process.exitcode == 0:
        return None
    if last:
        return last
    code = one.process.exitcode
    try:
        last = "\n".join(one.job.log.read_text(errors="replace").splitlines()[-8:])
    except OSError:
        return (
            f"The process ended before it began, exit code {code}. In a script, call `retrain_references` under "
            '`if __name__ == "__main__":`, since the processes import the script.'
        )
    return f"The process ended by itself, exit code {code} (-9: killed, often for memory).\n{last}".rstrip()


def _kill(process: SpawnProcess) -> None:
    """End the process and what it has started: they are a group of its number, once it has got so far."""
    assert process.pid is not None
    with suppress(ProcessLookupError, AttributeError):  # the latter: Windows has no groups
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()


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
