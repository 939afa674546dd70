"""Two gloo processes on one machine, as a launcher would start them."""

import os
import socket
import subprocess
import sys
from pathlib import Path


def two_ranks(module: str, *arguments: str, timeout: float = 300) -> None:
    """Run `python -m module arguments` as rank 0 and 1, and wait for both; neither outlives this call."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = []
    for rank in range(2):
        environment = os.environ | {
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2",
            "NODE_RANK": "0", "LOCAL_RANK": str(rank), "GLOO_SOCKET_IFNAME": "lo",
        }  # fmt: skip
        command = [sys.executable, "-m", module, *arguments]
        root = Path(__file__).parents[1]
        processes.append(
            subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.PIPE, text=True)
        )
    try:
        errors = [process.communicate(timeout=timeout)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    codes = [process.returncode for process in processes]
    assert codes == [0, 0], "\n".join(error[-3000:] for error in errors)
