"""References in this process, so that a test need not wait for others."""

import pytest

from lightning_unlearn.reference import _keeper, _run
from lightning_unlearn.reference._jobs import job_of
from lightning_unlearn.reference._prepare import prepare
from lightning_unlearn.reference._recipe import Live
from lightning_unlearn.reference._train import train
from tests.reference import _modules as modules
from tests.reference._content import without_seconds


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(modules.Small, "seen", [])
    monkeypatch.setattr(_keeper, "_SHARE", 1.0)  # keep every epoch, short as they are


@pytest.fixture
def job(tmp_path):
    """Make a job as `retrain_references` does."""

    def job(module=modules.Small, data=None, make_trainer=None, *, seed=1, folder="out", config=None):
        recipe = Live(module, data or modules.sides(), make_trainer or modules.trainer(), config)
        prepared = prepare(recipe, None)
        (tmp_path / folder).mkdir(exist_ok=True)
        return job_of(prepared, seed, tmp_path / folder, 1)

    return job


@pytest.fixture
def made(job):
    """Train in this process; the bytes of the file, but for its seconds."""

    def made(*arguments, **options):
        one = job(*arguments, **options)
        train(one, lambda _: None)
        return without_seconds(one.finished)

    return made


@pytest.fixture
def trained(monkeypatch):
    """`retrain_references` without processes; the seeds that it has trained."""
    seeds = []

    def run_all(jobs, processes, watcher):
        for one in jobs:
            seeds.append(one.stamp.seed)
            train(one, lambda _: None)
            watcher.ended(one, None)
        return {}

    monkeypatch.setattr(_run, "run_all", run_all)
    return seeds
