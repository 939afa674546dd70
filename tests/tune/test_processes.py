"""Searches in processes: as many as one likes, and killed without warning."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from tests.compare._modules import CONFIG

pytestmark = pytest.mark.slow

MAIN = "from lightning_unlearn.cli import main; main()"
OPTIONS = ("--strategy=GradientDifference", "--space=space.yaml", "--trials=4", "--retain_floor=0")


@pytest.fixture
def start(tmp_path):
    """Begin a search in a process group of its own."""
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(CONFIG | {"original_seeds": 2}))
    (tmp_path / "space.yaml").write_text("alpha: {low: 0.01, high: 1.0, log: true}\n")

    def start(output, processes):
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        environment = os.environ | {"PYTHONPATH": root, "JSONARGPARSE_DEPRECATION_WARNINGS": "off"}
        command = [sys.executable, "-c", MAIN, "tune", "--config=mine.yaml", *OPTIONS]
        return subprocess.Popen(
            [*command, f"--output={output}", f"--processes={processes}"],
            cwd=tmp_path,
            env=environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    return start


def record(tmp_path, output):
    plain = json.loads((tmp_path / output / "gradientdifference-the-last-class" / "search.json").read_text())
    for trial in plain["trials"]:
        trial.pop("seconds")
    return plain


def finish(process):
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said.decode()


def test_killed_and_begun_again_with_more_processes(start, tmp_path):
    """The record is that of an undisturbed run, and what was finished is not touched."""
    undisturbed = start("whole", 1)
    disturbed = start("out", 2)
    cells = tmp_path / "out" / "cells"
    deadline = time.monotonic() + 240
    while (
        not list(cells.glob("*trial-1-*.json")) and disturbed.poll() is None and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    os.killpg(disturbed.pid, signal.SIGKILL)
    disturbed.communicate()
    before = {path: path.stat().st_mtime_ns for path in cells.glob("*.json")}
    assert before, "it was killed too early"
    assert not list(cells.glob("*trial-3-*.json")), "it was killed too late"
    finish(start("out", 2))
    finish(undisturbed)
    assert record(tmp_path, "out") == record(tmp_path, "whole")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert sorted(p.name for p in cells.iterdir()) == sorted(
        p.name for p in (tmp_path / "whole" / "cells").iterdir()
    )
