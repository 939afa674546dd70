"""Comparisons in processes of their own: killed and started again, cells that kill their process, a full disk."""

import copy
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import uuid

import pytest

from tests._processes import ROOT, alive
from tests.compare._cells import numbers
from tests.compare._modules import CONFIG

pytestmark = pytest.mark.slow

WAITING = {"strategy": "tests.compare._modules.Waits", "name": "waiting"}
KILLING = {"strategy": "tests.compare._modules.Kills", "name": "killing"}


ENTRIES = [{"strategy": "GradientDifference"}, WAITING]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The folder of a comparison that nothing happened to."""
    path, mark = tmp_path_factory.mktemp("undisturbed"), uuid.uuid4().hex
    assert finish(start(path, "out", ENTRIES, mark), mark) is not None
    return path / "out"


def start(tmp_path, folder, entries, mark, before=None, **environment):
    config = copy.deepcopy(CONFIG) | {"output": str(tmp_path / folder), "processes": 2, "original_seeds": 2}
    config["model"] = {"class_path": "tests.compare._modules.Tiny", "init_args": {"noise": 1.0}}
    config["requests"][0]["entries"] = entries
    path = tmp_path / f"{folder}.json"
    path.write_text(json.dumps(config))
    return subprocess.Popen(
        [sys.executable, "-m", "tests.compare._process", str(path)],
        cwd=ROOT,
        env=os.environ | {"STARTED_BY_TEST": mark, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=before,
    )


def finish(process, mark):
    """What it said; nobody is left."""
    try:
        said = process.communicate(timeout=300)[0]
    finally:
        for pid in alive(mark):
            os.kill(pid, signal.SIGKILL)
    return said


def cells_of(folder):
    found = (json.loads(path.read_text()) for path in (folder / "cells").glob("*.json"))
    return {(cell["entry"], *cell["seeds"].values()): numbers(cell) for cell in found}


def test_killed_in_the_middle_and_started_again_it_gives_the_numbers_of_an_undisturbed_run(
    tmp_path, undisturbed
):
    mark, flag, whole = uuid.uuid4().hex, tmp_path / "wait", cells_of(undisturbed)
    flag.touch()
    process = start(tmp_path, "out", ENTRIES, mark, WAIT_FOR=str(flag))
    try:
        deadline = time.monotonic() + 200
        while not flag.with_suffix(".waits").exists():
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)  # its workers are groups of their own, and notice
        while alive(mark):
            assert time.monotonic() < deadline, "somebody is left"
            time.sleep(0.02)
    finally:
        finish(process, mark)
    there = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}
    kept = {path: when for path, when in there.items() if path.suffix in (".json", ".ckpt")}
    done = [path for path in kept if path.parent.name == "cells"]
    assert 0 < len(done) < len(whole)
    assert not any(path.name.startswith("report") for path in kept)
    flag.unlink()
    said = finish(start(tmp_path, "out", ENTRIES, mark), mark)
    assert f"{len(done)} cells are there already." in said or len(done) == 1
    assert cells_of(tmp_path / "out") == whole
    kept.pop(tmp_path / "out" / "comparison.json")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    left = {path.name for path in (tmp_path / "out" / "cells").iterdir()}
    assert left == {path.name for path in (undisturbed / "cells").iterdir()}


def test_a_cell_that_kills_its_process_takes_no_other_along(tmp_path, undisturbed):
    mark = uuid.uuid4().hex
    shutil.copytree(undisturbed / "models", tmp_path / "out" / "models")
    said = finish(start(tmp_path, "out", [KILLING, {"strategy": "GradientDifference"}], mark), mark)
    cells = cells_of(tmp_path / "out")
    assert len(cells) == 2 + 1 + 2 * 4, said
    for key, cell in cells.items():
        if key[0] == "killing":
            assert "exit code -9" in cell["error"]
            assert cell["error"].endswith("the last words")
        else:
            assert cell["error"] is None


def test_a_full_disk_is_a_clear_error_and_nothing_is_lost(tmp_path, undisturbed):
    mark, whole = uuid.uuid4().hex, cells_of(undisturbed)
    shutil.copytree(undisturbed, tmp_path / "out")
    for path in [
        *(tmp_path / "out").glob("*report*"),
        *(tmp_path / "out").glob("cells/*GradientDifference*"),
    ]:
        path.unlink()

    sizes = [path.stat().st_size for path in (undisturbed / "cells").glob("*GradientDifference*")]
    assert min(sizes) > (undisturbed / "comparison.json").stat().st_size

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (min(sizes) - 1, min(sizes) - 1))

    said = finish(start(tmp_path, "out", ENTRIES, mark, before=small_files), mark)
    assert "UnlearningError: The reports could not be written to" in said
    assert "File too large" in said
    assert not list((tmp_path / "out").glob("*report*"))
    left = {key: cell for key, cell in cells_of(tmp_path / "out").items() if cell["error"] is None}
    assert left == {key: cell for key, cell in whole.items() if key[0] != "GradientDifference"}
