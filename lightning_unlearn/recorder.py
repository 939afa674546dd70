from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.trainer.states import TrainerStatus
from torch import nn
from torch.utils.data import DataLoader
from typing_extensions import override

from lightning_unlearn import _checks
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.passes import Source
from lightning_unlearn.passes._plain import from_plain
from lightning_unlearn.passes._state_file import StateFile
from lightning_unlearn.predictions import Predict
from lightning_unlearn.subspaces import Covariances
from lightning_unlearn.subspaces._covariances import digest_of

_KEY = "input_covariances"  # of a checkpoint


class InputCovariance(pl.Callback):
    """Measures, during the original training, what :class:`PGU` needs to forget later without any retain data.

    For each `nn.Linear` and `nn.Conv1d/2d/3d` the uncentred covariance `Σ x xᵀ` of its inputs over the training data, in
    float64 and in evaluation mode, each sample once, on any number of processes. It goes into the checkpoints, with a
    digest of the weights that it belongs to. Training itself is not changed by a bit.

    Inputs depend on the weights of the layers before: what is measured during training belongs to weights that are gone
    by its end. So it is one pass over the data, made when a checkpoint is saved, at the weights that are saved, and made
    once for several checkpoints of the same weights. With `every_checkpoint=False` checkpoints saved before the end of
    the training, which then are no start for :class:`PGU`, get none and cost no pass. Every way of saving is covered
    (`ModelCheckpoint`, `trainer.save_checkpoint`, also after the fit), but for checkpoints of weights only.

    Lay it behind callbacks that change the weights at the end of the training, such as weight averages.

    Args:
        predict: runs the module on a batch, `predict(module, batch)`, through all layers that are to be measured; what it
            returns is not looked at. By default a batch is (inputs, labels), and `module(inputs)` returns logits.
        positions: at how many of its output positions in each sample a convolution is measured (a linear layer, where a
            sample has several vectors, at how many of them): a fixed choice. `None` is all: exact, and for a convolutional network as expensive as 15 to
            20 forward passes over the data. Four cost half a pass; at the same threshold the run
            then forgets more and holds less. Both are measured in docs/results.md.
        every_checkpoint: also measure for checkpoints that are saved before the end of the training; each costs a pass.
            Needed where the best checkpoint is kept, not the last.
        data: a loader of the training data without random augmentation; `None` for the Trainer's own. What :class:`PGU`
            subtracts later is measured on its forget loader: the inputs of a sample must be the same in both.

    Raises:
        ConfigurationError: at the start of the training, for a module without such layers, for a train loader that is not
            one loader, or for batches that need a `predict`.

    References:
        Hoang et al., "Learn to Unlearn for Deep Neural Networks: Minimizing Unlearning Interference with Gradient
        Projection", WACV 2024, arXiv:2312.04095. Differs from the authors' code, which measures with dropout and
        augmentation, so that the difference of two covariances may be no covariance, and unfolds every convolution
        with stride 1, dilation 1 and one group.

    Example:
        >>> from lightning_unlearn import InputCovariance
        >>> InputCovariance(positions=64).positions
        64
    """

    def __init__(
        self,
        predict: Predict | None = None,
        *,
        positions: int | None = None,
        every_checkpoint: bool = False,
        data: Any = None,
    ) -> None:
        self.predict = predict
        self.positions = None if positions is None else _checks.positive_int("positions", positions)
        self.every_checkpoint = every_checkpoint
        self.data = data
        self._measured: Covariances | None = None

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit":
            self._measured = None

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # what cannot be measured is to be said now, not hours later
        Covariances.measured(pl_module, self._source(trainer, pl_module, limit=1), self.predict)

    @override
    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if trainer.state.status == TrainerStatus.RUNNING and (self.every_checkpoint or _is_at_end(trainer)):
            self._measure(trainer, pl_module)
        if self._measured is not None and self._measured.weights == digest_of(pl_module.state_dict()):
            checkpoint[_KEY] = self._measured.to_plain()

    @override
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._measure(
            trainer, pl_module
        )  # for whoever saves after the fit, when the module may have left the device

    def _measure(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        is_due = self._measured is None or self._measured.weights != digest_of(module.state_dict())
        if trainer.strategy.broadcast(
            is_due
        ):  # it takes all processes, and each has running statistics of its own
            limit = trainer.limit_train_batches if getattr(trainer, "fast_dev_run", False) else None
            source = self._source(trainer, module, None if limit is None else int(limit))
            self._measured = Covariances.measured(module, source, self.predict, self.positions)

    def _source(self, trainer: pl.Trainer, module: pl.LightningModule, limit: int | None) -> Source:
        loader = trainer.train_dataloader if self.data is None else self.data
        if not isinstance(loader, DataLoader):
            raise ConfigurationError(
                f"The training data must be one `DataLoader` to be measured, found a {type(loader).__name__}. Pass "
                "`data=DataLoader(...)`."
            )
        return Source(trainer, module, loader, "input covariance", limit)


def stored_covariances(path: str | Path, module: nn.Module) -> Covariances:
    """What :class:`InputCovariance` has put into a checkpoint, or a run with :class:`PGU` has left in its own.

    Args:
        path: of a checkpoint file.
        module: whose they are to be.

    Raises:
        ConfigurationError: there is no such file, nothing of that kind in it, or it is of another module.

    Example:
        >>> from torch import nn
        >>> from lightning_unlearn.recorder import stored_covariances
        >>> try:
        ...     stored_covariances("nowhere.ckpt", nn.Linear(2, 1))
        ... except ValueError as error:
        ...     print(error)
        `covariance` must be a checkpoint file, found none at nowhere.ckpt. Name the one of the trained model.
    """
    if not Path(path).is_file():
        raise ConfigurationError(
            f"`covariance` must be a checkpoint file, found none at {path}. Name the one of the trained model."
        )
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise ConfigurationError(
            f"`covariance` must be a checkpoint that loads with `weights_only=True`, found one that does not at {path}. "
            "Name its classes to `torch.serialization.add_safe_globals`."
        ) from error
    found = checkpoint.get(_KEY) or _carried(checkpoint)
    if found is None:
        raise ConfigurationError(
            f"`covariance` must be a checkpoint with input covariances in it, found none in {path}. Train with the callback "
            "`InputCovariance`, and take a checkpoint from the end of the training that is not of weights only; or leave "
            '`covariance` out and give a "retain" loader.'
        )
    covariances = Covariances(**found)
    if misfit := covariances.misfit(module):
        raise ConfigurationError(
            f"`covariance` must be of the module that is to forget, found one {misfit}. Load the weights of {path} into "
            "it, or name the checkpoint that its weights are of."
        )
    return covariances


def _carried(checkpoint: dict[str, Any]) -> dict[str, Any] | None:
    """What a run that forgot has left: of the weights that it has ended with, which stand beside it."""
    for state in checkpoint.get("callbacks", {}).values():
        values = dict(state.get("values", {})) if isinstance(state, dict) else {}
        if isinstance(state, dict) and "file" in state and "state/covariances" in state["file"]["names"]:
            values = StateFile(state["file"]["path"], state["file"]["sha256"]).read(None)
        plain: dict[str, Any] | None = values.get("state/covariances")
        if plain is not None:
            carried: dict[str, Any] = from_plain(plain)
            return carried | {"weights": digest_of(checkpoint["state_dict"])}
    return None


def _is_at_end(trainer: pl.Trainer) -> bool:
    """Whether no optimiser step is to come."""
    loop = trainer.fit_loop
    if trainer.should_stop or 0 <= loop.max_steps <= trainer.global_step:
        return True
    is_last = loop.max_epochs is not None and 0 <= loop.max_epochs <= trainer.current_epoch + 1
    return is_last and bool(loop.epoch_loop.batch_progress.is_last_batch)
