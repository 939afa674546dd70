"""The life of a process that trains one reference."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from typing import NamedTuple, NoReturn

from lightning_unlearn.errors import UnlearningError
from lightning_unlearn.reference._train import Job, train

_SHOWN = 8  # lines of a traceback


class Failure(NamedTuple):
    """The last words of a process: a sentence, or the end of a traceback."""

    text: str


def work(job: Job, connection: Connection) -> None:
    """Entry point; sends `Progress` again and again, and a `Failure` if it fails."""
    _leave_the_terminal()
    _end_with_the_parent()
    _print_to(job)
    try:
        train(job, connection.send)
    except UnlearningError as error:
        _fail(connection, str(error))
    except BaseException:
        lines = traceback.format_exc().rstrip().splitlines()
        print("\n".join(lines), file=sys.stderr)
        _fail(connection, "\n".join(lines[-_SHOWN:]))


def _fail(connection: Connection, text: str) -> NoReturn:
    connection.send(Failure(text))
    connection.close()
    sys.exit(1)


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


def _print_to(job: Job) -> None:
    sys.argv = sys.argv[:1]  # the parent's, which LightningCLI would warn of
    descriptor = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.close(descriptor)
