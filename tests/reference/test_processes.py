"""References in processes of their own: beside one another, interrupted, failing."""

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from io import StringIO

import pytest
import torch
from rich.console import Console
from rich.text import Text

from lightning_unlearn import UnlearningError
from lightning_unlearn.reference import retrain_references
from lightning_unlearn.reference._train import train
from tests._processes import ROOT, alive
from tests.reference._content import without_seconds
from tests.reference._modules import Fragile, Slow, sides, trainer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*no `val_dataloader`:UserWarning"),  # as in test_train.py
]


def undisturbed(job, module, make_trainer, seed):
    one = job(module, make_trainer=make_trainer, seed=seed, folder="undisturbed")
    train(one, lambda _: None)
    return one.finished


def interrupted(folder, ends_by, epoch):
    """Start, wait until both references have been kept once, end it, and see that nobody is left."""
    mark = uuid.uuid4().hex
    environment = os.environ | {"STARTED_BY_TEST": mark, "OMP_NUM_THREADS": "1", "WAIT_IN_EPOCH": str(epoch)}
    command = [sys.executable, "-m", "tests.reference._process", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        before = {path: path.stat().st_mtime_ns for path in folder.glob(".reference-*.ckpt")}
        while True:
            kept = list(folder.glob(".reference-?-" + 16 * "?" + ".ckpt"))
            if len(kept) == 2 and all(p.stat().st_mtime_ns != before.get(p) for p in kept):
                break
            assert time.monotonic() < deadline, process.poll()
            time.sleep(0.02)
        process.send_signal(ends_by)
        process.wait(90)
        while alive(mark):
            assert time.monotonic() < deadline, "somebody is left"
            time.sleep(0.02)
    finally:
        for pid in alive(mark):
            os.kill(pid, signal.SIGKILL)
        said = process.communicate()[1]
    assert list(folder.glob("reference-*.ckpt")) == [], "it was over before it was interrupted"
    return said


def test_after_ctrl_c_and_after_a_kill_it_goes_on_and_ends_as_if_undisturbed(job, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    said = interrupted(folder, signal.SIGINT, epoch=1)
    assert said.startswith("Traceback"), "no terminal, no display"
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert said.count("Traceback") == 1, "a child has spoken, too"
    interrupted(folder, signal.SIGKILL, epoch=2)
    kept = folder.glob(".reference-?-" + 16 * "?" + ".ckpt")
    assert [torch.load(path, weights_only=True)["epoch"] for path in kept] == [1, 1]
    paths = retrain_references(Slow, sides(), trainer(), count=2, processes=2, output=folder)
    left = {path.name for path in folder.iterdir()} - {".lock"}
    assert left == {path.name for path in paths}
    for seed, path in enumerate(paths, 1):
        assert without_seconds(path) == without_seconds(undisturbed(job, Slow, trainer(), seed))


def test_who_fails_is_named_and_does_not_stop_the_others(job, tmp_path, capfd):
    options = {"seeds": [2, 3, 1], "processes": 2, "output": "out"}
    stream = StringIO()
    terminal = Console(file=stream, force_terminal=True, width=100)
    with pytest.raises(UnlearningError) as caught:
        retrain_references(Fragile, sides(), trainer(), **options, console=terminal)
    said = str(caught.value)
    assert "2 of 3 references failed; the others are there." in said
    assert "seed 2 (all that it said is in " in said
    assert 'raise RuntimeError("it is seed two")\nRuntimeError: it is seed two' in said
    assert "exit code -9" in said.split("seed 3")[1]
    assert "the last words" in said.split("seed 3")[1]
    (path,) = (tmp_path / "out").glob("reference-*.ckpt")
    assert without_seconds(path) == without_seconds(undisturbed(job, Fragile, trainer(), 1))
    logs = sorted(p.name.split("-")[1] for p in (tmp_path / "out").glob("reference-*.log"))
    assert logs == ["2", "3"]
    assert capfd.readouterr() == ("", "")
    rows = Text.from_ansi(stream.getvalue()).plain
    assert re.search(r"seed 1 .* done", rows)
    assert re.search(r"seed 2 .* failed", rows)
    assert "waiting" in rows
