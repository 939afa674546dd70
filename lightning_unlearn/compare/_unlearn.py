"""One unlearning, in this process."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import lightning as L
from typing_extensions import override

from lightning_unlearn.compare._request import Strategy
from lightning_unlearn.compare._settings import Settings
from lightning_unlearn.errors import UnlearningError
from lightning_unlearn.monitor import ForgettingMonitor
from lightning_unlearn.predictions import Predict
from lightning_unlearn.processes import Report

_REPORTS = 0.2  # seconds between two


class Place(NamedTuple):
    """How far a cell is."""

    done: float
    said: str


class Course(NamedTuple):
    """What an unlearning has come to.

    Attributes:
        steps: optimiser steps that were taken.
        seconds: of `Trainer.fit`, the evaluations of the monitor included.
        steps_to_target: at which the monitor found the target reached; `None` if it never did, or was not there.
        seconds_to_target: the same in seconds from the start of the fit.
        stopped: by the monitor.
    """

    steps: int
    seconds: float
    steps_to_target: int | None
    seconds_to_target: float | None
    stopped: str | None


class _Clock(L.Callback):
    """Stands after the monitor, notes when it has evaluated, and reports how far the run is."""

    def __init__(self, monitor: ForgettingMonitor | None, steps: int, report: Report) -> None:
        self._monitor, self._steps, self._report = monitor, steps, report
        self._evaluations, self._reported = 0, 0.0
        self.evaluated = 0.0

    def _look(self) -> None:
        seen = len(self._monitor.history) if self._monitor is not None else 0
        if seen != self._evaluations:
            self._evaluations, self.evaluated = seen, time.perf_counter()

    @override
    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._look()
        now = time.monotonic()
        if now - self._reported >= _REPORTS:
            self._reported = now
            self._report(Place(min(1.0, trainer.global_step / self._steps), f"step {trainer.global_step}"))

    @override
    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._look()  # an edit takes no step


def unlearn(
    module: L.LightningModule,
    data: L.LightningDataModule,
    trainer: L.Trainer,
    strategy: Strategy,
    settings: Settings,
    seed: int,
    predict: Predict | None,
    report: Report,
) -> Course:
    """Unlearn in the module.

    Args:
        module: the original, with the arguments of the settings.
        data: with both sides.
        trainer: for so many steps, without callbacks.
        strategy: how.
        settings: steps and monitor.
        seed: of all random streams.
        predict: for the monitor, the strategy and its objective.
        report: is told how far it is, a few times a second.

    Raises:
        UnlearningError: a weight is not finite afterwards.
    """
    monitor = None if settings.monitor is None else ForgettingMonitor(predict=predict, **settings.monitor)
    clock = _Clock(monitor, settings.max_steps, report)
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]  # set by one of its connectors
    callbacks += [strategy.made(seed, predict), *([] if monitor is None else [monitor]), clock]
    L.seed_everything(seed, workers=True, verbose=False)
    start = time.perf_counter()
    trainer.fit(module, datamodule=data)
    seconds = time.perf_counter() - start
    for name, weight in module.named_parameters():
        if not bool(weight.isfinite().all()):
            raise UnlearningError(
                f"The weights must be finite, found {name} not finite after {trainer.global_step} steps. Lower the learning "
                "rate."
            )
    stopped = None if monitor is None else monitor.stopped
    reached = stopped == "target"
    assert monitor is not None or not reached
    return Course(
        trainer.global_step,
        seconds,
        int(monitor.history[-1]["step"]) if reached and monitor is not None else None,
        clock.evaluated - start if reached else None,
        stopped,
    )
