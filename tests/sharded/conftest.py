"""One launch of two processes, and one of four, for all tests of this folder."""

import pytest
import torch

from tests._processes import free_port, run


def _launch(folder, processes, timeout):
    variables = {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(processes),
        "NODE_RANK": "0", "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    module = ["tests.sharded._ranks", str(folder), str(processes)]
    ended = run([(module, variables | {"LOCAL_RANK": str(rank)}) for rank in range(processes)], timeout)
    assert [rank.code for rank in ended] == [0] * processes, "\n".join(rank.error for rank in ended)
    return [torch.load(folder / f"{rank}.pt") for rank in range(processes)]


@pytest.fixture(scope="session")
def two(tmp_path_factory):
    """What each of two processes found, by name."""
    return _launch(tmp_path_factory.mktemp("sharded"), 2, timeout=1200)


@pytest.fixture(scope="session")
def four(tmp_path_factory):
    """What each of four processes found, by name."""
    return _launch(tmp_path_factory.mktemp("sharded-4"), 4, timeout=600)
