"""Law 3, a first look: two processes give what one gives with batches twice as large (DistributedDataParallel)."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.strategies import _fits as fits
from tests.strategies._cases import every_case
from tests.strategies._ranks import KINDS, end_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of two processes ends with, for every row."""
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = []
    for rank in range(2):
        environment = os.environ | {
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2",
            "NODE_RANK": "0", "LOCAL_RANK": str(rank), "GLOO_SOCKET_IFNAME": "lo",
        }  # fmt: skip
        command = [sys.executable, "-m", "tests.strategies._ranks", str(folder)]
        root = Path(__file__).parents[2]
        processes.append(
            subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.PIPE, text=True)
        )
    errors = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(e[-3000:] for e in errors)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@every_case
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_agree_with_one(ranks, case, kind):
    first, second = (end[case.id, kind] for end in ranks)
    assert fits.same(first, second), "the ranks differ"
    alone = end_of(case, **KINDS[kind][1])
    assert fits.distance(first, alone) <= max(1e-12, case.tolerance)
