"""The work for one seed, and whether it is done."""

from __future__ import annotations

from pathlib import Path

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.reference._prepare import Prepared
from lightning_unlearn.reference._stamp import Stamp, read_stamp
from lightning_unlearn.reference._train import Job


def job_of(prepared: Prepared, seed: int, folder: Path, threads: int, name: str | None = None) -> Job:
    """What a process needs to know to train with one seed.

    Args:
        prepared: what all of them share.
        seed: of this one.
        folder: where the model goes.
        threads: of torch.
        name: of the job; `None` for that of its seed.
    """
    retain = prepared.retain
    stamp = Stamp(seed, prepared.config, retain.digest, retain.samples)
    return Job(stamp, folder, prepared.recipe, retain, threads, name or f"seed {seed}")


def is_there(job: Job) -> bool:
    """Whether the model has been trained.

    Raises:
        ConfigurationError: its file is damaged, or holds another model.
    """
    if not job.finished.exists():
        return False
    if read_stamp(job.finished).key != job.stamp.key:
        raise ConfigurationError(
            f"{job.finished} must be the reference of its name, found another one. Remove it, and run again."
        )
    return True
