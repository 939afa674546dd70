"""A user's Trainer, made fit for training a reference beside others."""

from __future__ import annotations

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint, ModelSummary, ProgressBar
from lightning.pytorch.loggers.logger import DummyLogger
from lightning.pytorch.strategies import SingleDeviceStrategy

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.monitor import ForgettingMonitor
from lightning_unlearn.strategies import UnlearningStrategy


def tame(trainer: L.Trainer) -> list[str]:
    """Leave out what unlearns, what writes files and what prints; loggers are replaced by one that is silent.

    Returns:
        Class names of the callbacks left out because a reference is not unlearned.

    Raises:
        ConfigurationError: the Trainer is not for a single device.
    """
    if not isinstance(trainer.strategy, SingleDeviceStrategy):
        raise ConfigurationError(
            f"`trainer` must train on one device, found {type(trainer.strategy).__name__} on "
            f'{trainer.num_devices * trainer.num_nodes}. Set `trainer.devices` to 1 and `trainer.strategy` to "auto": '
            "several references are trained beside one another instead (`processes`)."
        )
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]  # set by one of its connectors
    unlearning = [c for c in callbacks if isinstance(c, UnlearningStrategy | ForgettingMonitor)]
    silent = [c for c in callbacks if isinstance(c, Checkpoint | ProgressBar | ModelSummary)]
    callbacks[:] = [c for c in callbacks if c not in (*unlearning, *silent)]
    if trainer.loggers:  # a `training_step` may speak to `self.logger.experiment`
        trainer.loggers = [DummyLogger()]
    return [type(c).__name__ for c in unlearning]
