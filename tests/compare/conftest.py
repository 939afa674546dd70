"""Comparisons in this process, so that a test need not wait for others."""

import copy
import json

import pytest
from rich.console import Console

from lightning_unlearn import UnlearningError
from lightning_unlearn.compare import _models, _run, compare
from tests.compare._modules import CONFIG


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # LightningCLI calls jsonargparse by names that its newer versions deprecate
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")


@pytest.fixture
def done(monkeypatch):
    """Jobs are done in this process; their names, in order."""
    names = []

    def run_all(jobs, processes, watcher, *, reuse=False):
        failures = {}
        for job in jobs:
            names.append(job.name)
            try:
                job.run(lambda _: None)
            except UnlearningError as error:
                failures[job.name] = str(error)
            except Exception as error:
                failures[job.name] = f"Traceback\n{type(error).__name__}: {error}"
            watcher.ended(job, failures.get(job.name))
        return failures

    for module in (_run, _models):
        monkeypatch.setattr(module, "run_all", run_all)
    return names


@pytest.fixture
def run(tmp_path):
    """Compare as the configuration of `_modules` says, but for what is given; cells by entry and seeds."""

    def run(entries=None, settings=None, folder="out", **changes):
        config = copy.deepcopy(CONFIG) | {"output": str(tmp_path / folder)} | changes
        for request in config["requests"]:
            request["entries"] = entries or request["entries"]
            if settings is not None:
                request["settings"] |= settings
        cells = compare(config, console=Console(quiet=True))
        return {(cell["entry"], *cell["seeds"].values()): cell for cell in cells}

    return run


@pytest.fixture
def files(tmp_path):
    """The files of cells in a folder, by entry and seeds: path and content."""

    def files(folder="out"):
        found = {}
        for path in sorted((tmp_path / folder / "cells").glob("*.json")):
            content = json.loads(path.read_text())
            found[(content["entry"], *content["seeds"].values())] = path, content
        return found

    return files
