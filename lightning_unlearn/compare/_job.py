"""One cell, made in a process that may make others before and after."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers.logger import DummyLogger
from torch.utils.data import DataLoader

from lightning_unlearn._weights_file import read_weights
from lightning_unlearn.audit._sides import loaders_of, use_hooks_of
from lightning_unlearn.compare._cell import Cell, write_cell
from lightning_unlearn.compare._evaluate import evaluate
from lightning_unlearn.compare._predict import predict_of
from lightning_unlearn.compare._training import Training
from lightning_unlearn.compare._unlearn import unlearn
from lightning_unlearn.data import UnlearningDataModule
from lightning_unlearn.errors import UnlearningError
from lightning_unlearn.predictions import Predict
from lightning_unlearn.processes import Report
from lightning_unlearn.reference import read_stamp
from lightning_unlearn.reference._known import Known
from lightning_unlearn.reference._repeatable import fixed_streams

NOT_WRITTEN = "The cell could not be written to"  # how a failure begins that is not that of the strategy
_BATCH = 256  # where the test data are a set without a loader


@dataclass(frozen=True)
class CellJob:
    """What a process needs to know.

    Attributes:
        cell: which one.
        training: of its request, pickled.
        model: file of its original, or of its retrained model.
        sides: the retain and the forget set, by which a process knows its own again.
        predict: import path of how predictions are made; `None` for the usual way.
        attack_samples: see :func:`evaluate`.
        folder: where its file goes.
        threads: of torch.
    """

    cell: Cell
    training: bytes
    model: Path
    sides: Mapping[str, Known]
    predict: str | None
    attack_samples: int | None
    folder: Path
    threads: int

    @property
    def name(self) -> str:
        """In displays and messages."""
        return self.cell.name

    @property
    def path(self) -> Path:
        """Its file."""
        return self.folder / f"{self.cell.stem}.json"

    @property
    def log(self) -> Path:
        """What the process prints meanwhile."""
        return self.folder / f"{self.cell.stem}.log"

    def clean_fragments(self) -> None:
        """Remove what a process that has ended was writing."""
        self.log.unlink(missing_ok=True)
        for path in self.folder.glob(f".{self.cell.stem}-*"):
            path.unlink(missing_ok=True)

    def run(self, report: Report) -> None:
        """Make it, whatever ran in this process before.

        Raises:
            UnlearningError: a weight or a prediction is not finite, or the file cannot be written.
        """
        torch.set_num_threads(self.threads)
        with _nothing_left():
            content = self.cell.finished(*self._numbers(report))
        try:
            write_cell(self.path, content)
        except OSError as error:
            raise UnlearningError(
                f"{NOT_WRITTEN} {self.path} ({error.strerror or error}). Make room, and run the same "
                "command again."
            ) from error
        self.clean_fragments()

    def _numbers(self, report: Report) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
        cell, seed = self.cell, self.cell.unlearning or 0
        settings, predict = cell.settings, predict_of(self.predict)
        original: Training = pickle.loads(self.training)
        training = original.unlearning(
            *((1, {}) if settings is None else (settings.max_steps, settings.model))
        )
        trainer = training.trainer()
        trainer.loggers = [DummyLogger()]  # a `training_step` may speak to `self.logger.experiment`
        data, loaders = _sides(training, trainer)
        for name, known in self.sides.items():
            known.check(loaders[name].dataset, name)
        L.seed_everything(seed, workers=True, verbose=False)
        module = training.module()
        module.load_state_dict(read_weights(self.model, "original"))
        device = trainer.strategy.root_device
        module.to(device)  # an accelerator takes its time at first, which is not the strategy's
        course: dict[str, Any] = {"steps": 0, "seconds": 0.0}
        if cell.kind == "retraining":
            course = {"steps": None, "seconds": read_stamp(self.model).seconds}
        if cell.strategy is not None and settings is not None:
            data.reorder(seed, batch_size=settings.batch_size, forget_batch_size=settings.forget_batch_size)
            course = unlearn(module, data, trainer, cell.strategy, settings, seed, predict, report)._asdict()
        use_hooks_of(data, [module])
        return self.measured(module.to(device), loaders, predict), course

    def measured(
        self, module: L.LightningModule, loaders: Mapping[str, DataLoader[Any]], predict: Predict | None
    ) -> list[dict[str, Any]]:
        """The evaluations of the module, which is on the device where they are done."""
        return evaluate(module, loaders, predict, self.cell.evaluation, self.attack_samples)


@contextmanager
def _nothing_left() -> Iterator[None]:
    """Afterwards no Trainer and module are left that hold one another; only what is new is looked at, which takes no time."""
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()


def _sides(
    training: Training, trainer: L.Trainer
) -> tuple[UnlearningDataModule, Mapping[str, DataLoader[Any]]]:
    with fixed_streams():
        data = training.data()
        data.trainer = trainer
        return data, loaders_of(data, _BATCH)
