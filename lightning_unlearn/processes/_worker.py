"""The life of a process that does one job after another."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import traceback
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

from lightning_unlearn.errors import UnlearningError
from lightning_unlearn.processes._job import Job

SHOWN = 8  # lines of a traceback


class Order(NamedTuple):
    """A job on its way to a process.

    Attributes:
        log: of the job; known before the job is unpickled, which may fail.
        job: pickled.
    """

    log: Path
    job: bytes


class Ended(NamedTuple):
    """The last words on a job.

    Attributes:
        failure: none, a sentence, or the end of a traceback.
        killed: whether the process has died in the middle of it.
    """

    failure: str | None
    killed: bool = False


def work(connection: Connection) -> None:
    """Entry point; is sent `Order`s, and sends `Progress` again and again, and `Ended` once for each."""
    _leave_the_terminal()
    _end_with_the_parent()
    sys.argv = sys.argv[:1]  # the parent's, which LightningCLI would warn of
    with suppress(EOFError, OSError):  # nobody has more to do
        while True:
            order: Order = connection.recv()
            _print_to(order.log)
            connection.send(Ended(_failure_of(order, connection)))


def _failure_of(order: Order, connection: Connection) -> str | None:
    try:
        job: Job = pickle.loads(order.job)
        job.run(connection.send)
    except UnlearningError as error:
        return str(error)
    except BaseException:
        lines = traceback.format_exc().rstrip().splitlines()
        print("\n".join(lines), file=sys.stderr)
        return "\n".join(lines[-SHOWN:])
    return None


def _leave_the_terminal() -> None:
    """Ctrl-C is for the parent, which ends this process and its loaders' workers as one group."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "setsid"):
        os.setsid()


def _end_with_the_parent() -> None:
    parent = parent_process()
    if parent is not None:
        sentinel = parent.sentinel

        def watch() -> None:
            wait([sentinel])
            if hasattr(os, "killpg"):  # workers of loaders that are just starting would not notice
                os.killpg(0, signal.SIGKILL)
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


def _print_to(log: Path) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # it belongs to the job before
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        descriptor = os.open(log, writing)
    except OSError:  # of a full disk the job itself will speak
        descriptor = os.open(os.devnull, writing)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.close(descriptor)
