"""The GPU benchmark says so where there is no GPU, and can be tried without one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples/benchmarks/gpu_overhead.py"


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_without_a_device_it_says_so_and_ends_well():
    done = run(CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "No CUDA device was found: nothing was measured.\n"


@pytest.mark.slow
def test_on_the_cpu_it_runs_through():
    pytest.importorskip("torchvision")
    small = ["--batch-size", "2", "--image-size", "32", "--steps", "1", "--warmup", "1", "--repetitions", "1"]
    done = run("--device", "cpu", *small)
    assert done.returncode == 0, done.stderr
    assert "of the floor" in done.stdout
