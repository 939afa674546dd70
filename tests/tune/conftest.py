"""Searches in this process, so that a test need not wait for others."""

import copy

import pytest
from rich.console import Console

from lightning_unlearn import UnlearningError
from lightning_unlearn.compare import _models
from lightning_unlearn.tune import _run
from lightning_unlearn.tune._asked import asked_of
from lightning_unlearn.tune._config import TuneCLI
from tests.compare._modules import CONFIG

pytest.importorskip("optuna")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # LightningCLI calls jsonargparse by names that its newer versions deprecate
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")


class _Here:
    """A pool of no processes."""

    def __init__(self, done, fail_at):
        self._done, self._fail_at = done, fail_at

    def __call__(self, processes, *, reuse=False):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def run(self, jobs, watcher):
        failures = {}
        for job in jobs:
            if len(self._done) in self._fail_at:
                raise KeyboardInterrupt
            self._done.append(job.name)
            try:
                job.run(lambda _: None)
            except UnlearningError as error:
                failures[job.name] = str(error)
            except Exception as error:
                failures[job.name] = f"Traceback\n{type(error).__name__}: {error}"
            watcher.ended(job, failures.get(job.name))
        return failures


@pytest.fixture
def interrupt_at():
    """Numbers of jobs; before one of them is begun, somebody presses Ctrl-C."""
    return set()


@pytest.fixture
def done(monkeypatch, interrupt_at):
    """Jobs are done in this process; their names, in order."""
    names = []
    pool = _Here(names, interrupt_at)
    monkeypatch.setattr(_run, "Pool", pool)
    monkeypatch.setattr(_models, "run_all", lambda jobs, processes, watcher: pool.run(jobs, watcher))
    return names


SPACE = {"alpha": {"low": 0.01, "high": 1.0, "log": True}, "max_steps": {"low": 2, "high": 8, "step": 2}}


@pytest.fixture
def config(tmp_path):
    """The configuration of a small search, but for what is given."""

    def config(**changes):
        own = {"strategy": "GradientDifference", "space": SPACE, "trials": 3, "retain_floor": 0.0}
        return (
            copy.deepcopy(CONFIG) | {"output": str(tmp_path / "out"), "evaluation_seeds": 1} | own | changes
        )

    return config


@pytest.fixture
def asked(config):
    return lambda **changes: asked_of(TuneCLI(config(**changes)).config)


@pytest.fixture
def search(asked):
    """Search as it says, and return the search and its folder."""
    return lambda **changes: _run.run(asked(**changes), Console(quiet=True))
