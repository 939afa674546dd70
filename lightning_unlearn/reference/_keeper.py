"""The callback that reports how far a reference is, and keeps it at the end of its epochs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor
from typing_extensions import override

from lightning_unlearn._files import atomically
from lightning_unlearn.passes import _resume

_REPORTS = 0.2  # seconds between two
_SHARE = 0.1  # of the time may go into saving
_SECONDS = "lightning_unlearn_seconds"  # of the checkpoint


class Progress(NamedTuple):
    """How far a reference is.

    Attributes:
        done: share of the steps or epochs, 0 to 1; 0 if they are not limited.
        epoch: number of the epoch, from 1.
        loss: of a batch just trained on; `None` where `training_step` gives none.
    """

    done: float
    epoch: int
    loss: float | None

    @property
    def said(self) -> str:
        """In a few words."""
        return f"epoch {self.epoch}" + ("" if self.loss is None else f", loss {self.loss:.4g}")


class Keeper(Checkpoint):
    """Saves all that an undisturbed run would go on with, random streams included, at the end of epochs.

    The first epoch is kept, and then as many as fit into a tenth of the time.

    Args:
        path: of the checkpoint; always a complete one.
        report: is told how far the run is, a few times a second.
    """

    def __init__(self, path: Path, report: Callable[[Progress], None]) -> None:
        self._path, self._report = path, report
        self._replay: _resume.Replay | None = None
        self._reported = self._saved = self._took = 0.0
        self._began = time.monotonic()
        self._before = self._saving = self._kept = 0.0

    @property
    def seconds(self) -> float:
        """What an undisturbed run would have taken so far: with the way to the checkpoint that it was resumed from, without saving."""
        return self._before + time.monotonic() - self._began - self._saving

    @override
    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._began = time.monotonic()

    @override
    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.monotonic()
        if now - self._reported >= _REPORTS:
            self._reported = now
            loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
            shown = float(loss.detach()) if isinstance(loss, Tensor) and loss.numel() == 1 else None
            self._report(Progress(_done(trainer, batch_idx + 1), trainer.current_epoch + 1, shown))

    @override
    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        start = time.monotonic()
        # a run that is about to stop would not stop where it is resumed
        if trainer.should_stop or start - self._saved < self._took * (1 / _SHARE - 1):
            return
        self._kept = self.seconds
        with atomically(self._path) as temporary:
            trainer.save_checkpoint(temporary)
        self._saved = time.monotonic()
        self._took = self._saved - start
        self._saving += self._took

    @override
    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[_resume.KEY] = _resume.record(trainer, pl_module)
        checkpoint[_SECONDS] = self._kept
        for name in (pl_module.CHECKPOINT_HYPER_PARAMS_KEY, pl_module.CHECKPOINT_HYPER_PARAMS_TYPE):
            checkpoint.pop(name, None)  # made anew, and may not load with `weights_only=True`

    @override
    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._replay = _resume.Replay(trainer, pl_module, checkpoint)
        self._before = checkpoint.get(_SECONDS, 0.0)  # an earlier version did not count

    @override
    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self._replay is not None:
            self._replay.cancel()


def _done(trainer: L.Trainer, batches: int) -> float:
    steps = trainer.global_step / trainer.max_steps if trainer.max_steps > 0 else 0.0
    epochs = 0.0
    if trainer.max_epochs is not None and trainer.max_epochs > 0:
        epochs = (trainer.current_epoch + batches / trainer.num_training_batches) / trainer.max_epochs
    return min(1.0, max(steps, epochs))
