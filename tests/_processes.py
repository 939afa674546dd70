"""Two gloo processes on one machine, as a launcher would start them."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import IO, NamedTuple

ROOT = Path(__file__).parents[1]


class Ended(NamedTuple):
    """How a process ended, what it said, and when (`time.monotonic`, which all processes share)."""

    code: int
    error: str
    at: float


def two_ranks(module: str, *arguments: str, timeout: float = 300) -> None:
    """Run `python -m module arguments` as rank 0 and 1, and wait for both; neither outlives this call."""
    ended = ranks(module, *arguments, timeout=timeout)
    assert [rank.code for rank in ended] == [0, 0], "\n".join(rank.error[-3000:] for rank in ended)


def ranks(module: str, *arguments: str, timeout: float = 300) -> list[Ended]:
    """How `python -m module arguments` ends as rank 0 and as rank 1, which nobody watches over."""
    port = free_port()
    variables = {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "NODE_RANK": "0",
        "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip
    ended = run([([module, *arguments], variables | {"LOCAL_RANK": str(rank)}) for rank in range(2)], timeout)
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger are no listener
        again.bind(("127.0.0.1", port))
    return ended


def run(commands: list[tuple[list[str], dict[str, str]]], timeout: float) -> list[Ended]:
    """How each `python -m ...` ends; they and their children must be gone by themselves in time, and are in any case."""
    deadline = time.monotonic() + timeout
    mark = uuid.uuid4().hex
    with contextlib.ExitStack() as files:
        # not a pipe, which blocks a rank when it is full
        errors = [files.enter_context(tempfile.TemporaryFile("w+")) for _ in commands]
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=ROOT,
                env=os.environ | variables | {"STARTED_BY_TEST": mark},
                stderr=error,
            )
            for (arguments, variables), error in zip(commands, errors, strict=True)
        ]
        ends: dict[int, float] = {}
        try:
            while len(ends) < len(processes) or alive(mark):
                ends |= {
                    i: time.monotonic()
                    for i, p in enumerate(processes)
                    if i not in ends and p.poll() is not None
                }
                if time.monotonic() > deadline:
                    said = "\n".join(map(_text, errors))
                    raise AssertionError(f"not ended after {timeout} s, still there: {alive(mark)}\n{said}")
                time.sleep(0.05)
        finally:
            for pid in alive(mark):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for process in processes:
                process.wait()
        codes = [process.returncode for process in processes]
        return [
            Ended(code, _text(error), ends[i])
            for i, (code, error) in enumerate(zip(codes, errors, strict=True))
        ]


def alive(mark: str) -> list[int]:
    """The processes that have `mark` in their environment, as the children of a child do."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(
            OSError
        ):  # somebody else's, or gone; of one that is dead already it is empty
            if mark.encode() in environment.read_bytes():
                found.append(int(environment.parent.name))
    return found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()[-20_000:]
