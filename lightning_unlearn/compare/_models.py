"""The models that unlearning starts from and is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning_unlearn._weights_file import read_weights
from lightning_unlearn.audit._digests import weights_digest
from lightning_unlearn.audit._loading import model_of
from lightning_unlearn.compare._training import Training
from lightning_unlearn.processes import Watcher, run_all
from lightning_unlearn.reference._jobs import is_there, job_of
from lightning_unlearn.reference._prepare import Prepared
from lightning_unlearn.reference._repeatable import fixed_streams
from lightning_unlearn.reference._train import Job


@dataclass(frozen=True)
class Model:
    """One of them.

    Attributes:
        seed: of its training, or its number.
        key: SHA-256 of what it is made of, or of its weights.
        path: its file.
        job: its training; `None` for a model that was given.
    """

    seed: int
    key: str
    path: Path
    job: Job | None


def trained(prepared: Prepared, seeds: Sequence[int], folder: Path, threads: int, name: str) -> list[Model]:
    """Models that are to be trained, one for each seed."""
    jobs = [job_of(prepared, seed, folder, threads, f"{name}, seed {seed}") for seed in seeds]
    return [Model(job.stamp.seed, job.stamp.key, job.finished, job) for job in jobs]


def train_missing(models: Sequence[Model], processes: int, watcher: Watcher) -> dict[Path, str]:
    """Train those that are not there, each in a process of its own.

    Returns:
        Why one could not be trained, by its file.

    Raises:
        ConfigurationError: the file of one is damaged.
    """
    jobs = untrained(models)
    failures = run_all(jobs, processes, watcher)
    return {
        job.finished: f"Its model could not be trained ({job.name}).\n{failures[job.name]}"
        for job in jobs
        if job.name in failures
    }


def untrained(models: Sequence[Model]) -> list[Job]:
    """Trainings that are to be done, each once."""
    jobs = {model.path: model.job for model in models}
    return [job for job in jobs.values() if job is not None and not is_there(job)]


def given(paths: Sequence[Path], training: Training) -> list[Model]:
    """Models that are there.

    Raises:
        ConfigurationError: a file is none, or holds the weights of another module.
    """
    with fixed_streams():
        module = training.module()
    models = []
    for number, path in enumerate(paths):
        state = read_weights(path, "original")
        model_of("original", module, state)
        models.append(Model(number, weights_digest(state), path.absolute(), None))
    return models
