"""Law 6: killed at a checkpoint on a window boundary and resumed = never killed, bit for bit."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import Checkpoint
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset

from lightning_unlearn import UnlearningDataModule
from tests.strategies import _fits as fits
from tests.strategies._modules import Traces, sgd


class Killed(Exception):
    """An end that nobody expected."""


class Stop(Checkpoint):
    """Saves at one moment, and raises.

    Args:
        path: of the checkpoint.
        hook: during which it saves.
        step: number of optimiser steps taken by then.
        error: what it raises then; `None` to go on.
    """

    def __init__(self, path: Path, hook: str, step: int, error: type[BaseException] | None = Killed) -> None:
        self.path, self.hook, self.step, self.error = path, hook, step, error

    def _at(self, hook: str, trainer: L.Trainer) -> None:
        if (hook, trainer.global_step) == (self.hook, self.step):
            trainer.save_checkpoint(self.path)
            if self.error is not None:
                raise self.error

    def on_train_batch_end(self, trainer, *_: Any) -> None:
        self._at("batch", trainer)

    def on_train_epoch_end(self, trainer, *_: Any) -> None:
        self._at("epoch", trainer)

    def on_validation_end(self, trainer, *_: Any) -> None:
        self._at("validation", trainer)


class Module(Traces):
    """Every trace there is, a scheduler, and a list of the batches that it was given."""

    def __init__(self, optimizer: Any = sgd) -> None:
        super().__init__(optimizer)
        self.seen: list[tuple[int, int, float]] = []

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self.seen.append((self.trainer.current_epoch, batch_idx, float(batch[0].double().sum())))

    def configure_optimizers(self) -> Any:
        optimizer = self.make_optimizer(self.parameters())
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": StepLR(optimizer, 2, 0.9), "interval": "step"},
        }


class WithoutMetrics(Module):
    """For a strategy without a retain side, which leaves metric objects empty."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss, on_step=True, on_epoch=True)
        return loss

    def on_train_epoch_end(self) -> None:
        pass


class Drawing(Dataset[Any]):
    """Draws from two global streams for every sample."""

    def __init__(self, count: int, seed: int) -> None:
        self.samples = fits.samples(count, seed, torch.float32)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        inputs, label = self.samples[index]
        return inputs + 0.01 * random.random() + 0.01 * torch.rand(()), label


def plain(count: int, seed: int) -> Any:
    """Samples that do not draw."""
    return fits.samples(count, seed, torch.float32)


def own_data(make: Any = Drawing, **arguments: Any) -> UnlearningDataModule:
    """The package's loaders: 5 batches an epoch."""
    return UnlearningDataModule(make(20, 1), forget=make(12, 2), batch_size=4, **arguments)


def validated() -> UnlearningDataModule:
    """With a validation loader that draws from the global stream whenever it is iterated over."""
    return own_data(val=DataLoader(plain(8, 9), 4))


def forget_alone() -> dict[str, Any]:
    """For strategies without a retain side."""
    return {"forget": own_data().forget_dataloader()}


class Run(NamedTuple):
    """What is left of a run."""

    module: Module
    trainer: L.Trainer
    strategy: L.Callback
    log: list[Any]
    streams: Any


def run(
    strategy: L.Callback, *callbacks: L.Callback, data: Any = own_data, module: Any = Module, seed: int = 0,
    ckpt_path: Path | None = None, first: L.Callback | None = None, **arguments: Any,
) -> Run:  # fmt: skip
    """Fit a fresh module on fresh data; an end by `Stop` is no error here."""
    fits.seed_all(seed)
    user, loaders, logger = module(), data(), fits.Recording()
    saves = any(isinstance(callback, Checkpoint) for callback in callbacks)
    options = {**fits.QUIET, "logger": logger, "enable_checkpointing": saves, **arguments}
    trainer = L.Trainer(**options, callbacks=[*([first] if first else []), strategy, *callbacks])
    inner = loaders if isinstance(loaders, L.LightningDataModule) else None
    # SystemExit is Lightning's way after a KeyboardInterrupt
    with workers_ended(), contextlib.suppress(Killed, SystemExit):
        trainer.fit(user, None if inner else loaders, datamodule=inner, ckpt_path=ckpt_path)
    return Run(user, trainer, strategy, logger.records, fits.streams())


@contextlib.contextmanager
def workers_ended() -> Iterator[None]:
    """End the loaders' processes of a run: left to the garbage collector, each takes five seconds."""
    gc.disable()
    try:
        yield
        if multiprocessing.active_children():
            for found in gc.get_objects():
                if "MultiProcessingDataLoaderIter" in type(found).__name__:
                    found._shutdown_workers()
    finally:
        gc.enable()


def same(left: Any, right: Any) -> bool:
    """Whether two nested states agree bit for bit."""
    if isinstance(left, torch.Tensor):
        return isinstance(right, torch.Tensor) and left.dtype == right.dtype and torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def agree(whole: Run, killed: Run | None, resumed: Run) -> None:
    """All that a run leaves: weights, buffers, optimiser, scheduler, strategy, streams, batches, logs.

    Args:
        whole: never killed.
        killed: until its checkpoint: its logs and those of `resumed` make up those of `whole`; `None` to leave the
            logs out.
        resumed: from that checkpoint.
    """
    assert resumed.module.seen, "nothing was left to do: the comparison would say nothing"
    assert whole.module.seen[-len(resumed.module.seen) :] == resumed.module.seen, "batches differ"
    assert fits.same(fits.weights(whole.module), fits.weights(resumed.module)), "parameters differ"
    assert same(whole.module.state_dict(), resumed.module.state_dict()), "buffers differ"
    for one, other in zip(whole.trainer.optimizers, resumed.trainer.optimizers, strict=True):
        assert same(one.state_dict(), other.state_dict()), "optimisers differ"
    rates = [[c.scheduler.state_dict() for c in r.trainer.lr_scheduler_configs] for r in (whole, resumed)]
    assert same(*rates), "schedulers differ"
    assert same(whole.strategy.state_dict(), resumed.strategy.state_dict()), "strategies differ"
    assert whole.streams == resumed.streams, "random streams differ"
    steps = {(r.trainer.global_step, r.trainer.current_epoch) for r in (whole, resumed)}
    assert len(steps) == 1, "counters differ"
    if killed is not None:
        assert killed.log + resumed.log == whole.log, "logs differ"
        assert same(*(dict(r.trainer.callback_metrics) for r in (whole, resumed))), "metrics differ"


def resumes_exactly(
    folder: Path, make: Any, *points: tuple[str, int], error: type[BaseException] = Killed, **setting: Any
) -> None:
    """Law 6 at each of the points, a hook and a number of steps; the resumed process has other random numbers."""
    whole = run(make(), **setting)
    for number, point in enumerate(points):
        path = folder / f"{number}.ckpt"
        killed = run(make(), Stop(path, *point, error=error), **setting)
        assert path.exists(), f"there was no such point: {point}"
        resumed = run(make(), ckpt_path=path, seed=number + 1, **setting)
        agree(whole, killed, resumed)
