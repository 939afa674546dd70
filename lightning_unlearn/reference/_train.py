"""One reference, trained in this process."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning as L
import torch

from lightning_unlearn._files import atomically
from lightning_unlearn.errors import UnlearningError
from lightning_unlearn.reference._keeper import Keeper, Progress
from lightning_unlearn.reference._known import Known
from lightning_unlearn.reference._recipe import Recipe
from lightning_unlearn.reference._repeatable import fixed_streams
from lightning_unlearn.reference._retain import RetainData
from lightning_unlearn.reference._stamp import ENTRY, Stamp
from lightning_unlearn.reference._tame import tame


@dataclass(frozen=True)
class Job:
    """What a process needs to know.

    Attributes:
        stamp: what the reference is made of.
        folder: where it goes.
        recipe: pickled.
        retain: the retain set, by which a process knows its own again.
        threads: of torch.
        name: in displays and messages.
    """

    stamp: Stamp
    folder: Path
    recipe: bytes
    retain: Known
    threads: int
    name: str

    @property
    def finished(self) -> Path:
        """The file of the reference."""
        return self.folder / f"{self.stamp.name}.ckpt"

    @property
    def unfinished(self) -> Path:
        """The checkpoint to go on from."""
        return self.folder / f".{self.stamp.name}.ckpt"

    @property
    def log(self) -> Path:
        """What the process prints."""
        return self.folder / f"{self.stamp.name}.log"

    def run(self, report: Callable[[Progress], None]) -> None:
        """Train it in this process."""
        train(self, report)

    def clean(self) -> None:
        """Remove everything but the reference itself."""
        for path in (
            self.log,
            *self.folder.glob(f".{self.stamp.name}*"),
            *self.folder.glob(f"..{self.stamp.name}*"),
        ):
            path.unlink(missing_ok=True)

    def clean_fragments(self) -> None:
        """Remove what a process that was ended on purpose was writing."""
        self.log.unlink(missing_ok=True)
        for pattern in (f".{self.stamp.name}-*", f"..{self.stamp.name}-*"):
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)


def train(job: Job, report: Callable[[Progress], None]) -> None:
    """Train a reference, from where an interrupted process left it, and write its file.

    Raises:
        ConfigurationError: the data are not those of the job.
        UnlearningError: no step was taken, or a weight is not finite.
    """
    recipe: Recipe = pickle.loads(job.recipe)
    seed = job.stamp.seed
    torch.set_num_threads(job.threads)
    with fixed_streams():
        data = RetainData(recipe.data(), seed)
    trainer = recipe.trainer()
    tame(trainer)
    keeper = Keeper(job.unfinished, report)
    trainer.callbacks.append(keeper)  # type: ignore[attr-defined]
    data.trainer = trainer
    data.setup("fit")
    job.retain.check(data.train_dataloader().dataset, "retain")
    L.seed_everything(seed, workers=True, verbose=False)
    module = recipe.module()
    trainer.fit(module, datamodule=data, ckpt_path=_interrupted(job.unfinished))
    seconds = keeper.seconds
    _check_result(module, trainer)
    _write(trainer, job, seconds)
    job.clean()


def _interrupted(path: Path) -> str | None:
    """The checkpoint, if there is one that can be read; else the training starts again."""
    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:
        return None
    return os.fspath(path)


def _check_result(module: L.LightningModule, trainer: L.Trainer) -> None:
    if trainer.global_step == 0:
        raise UnlearningError(
            "A reference must be trained, found no step taken. Look at the limits of `trainer`."
        )
    for name, weight in module.named_parameters():
        if not bool(weight.isfinite().all()):
            raise UnlearningError(
                f"The weights of a reference must be finite, found {name} not finite after {trainer.global_step} steps. "
                "Lower the learning rate."
            )


def _write(trainer: L.Trainer, job: Job, seconds: float) -> None:
    with atomically(job.finished) as temporary:
        trainer.save_checkpoint(temporary, weights_only=True)
        checkpoint = torch.load(temporary, map_location="cpu", weights_only=False)  # written a moment ago
        checkpoint.pop("loops", None)
        plain = {n: value for n, value in checkpoint.items() if n == "state_dict" or _is_plain(value)}
        plain[ENTRY] = replace(job.stamp, seconds=seconds).to_plain()
        with temporary.open("wb") as stream:  # to a stream: no file name in the archive
            torch.save(plain, stream)
        try:
            torch.load(temporary, map_location="cpu", weights_only=True, mmap=True)
        except Exception as error:
            raise UnlearningError(
                f"The state dict of the module must load with `weights_only=True`, found that it does not: {error}"
            ) from error


def _is_plain(value: Any) -> bool:
    stream = io.BytesIO()
    try:
        torch.save(value, stream)
        stream.seek(0)
        torch.load(stream, weights_only=True)
    except Exception:
        return False
    return True
