"""Everything that is attached to a Trainer and a module for the length of one fit, and detached afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor, nn

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.objectives import Context, Objective
from lightning_unlearn.passes import _streams
from lightning_unlearn.passes._log_router import LogRouter
from lightning_unlearn.passes._patches import Patches
from lightning_unlearn.passes._runner import LossFunction, Result, Runner, check_graph, loss_of
from lightning_unlearn.passes._side import Side
from lightning_unlearn.passes._sides import SIDES, SideName
from lightning_unlearn.passes._traces import Buffers, Metrics
from lightning_unlearn.passes._window import MicroBatch
from lightning_unlearn.passes._writer import Writer

_TRANSFER_HOOKS = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")


class Session:
    """Splits the pairs, keeps the window, records Lightning's own pass, makes sides, and writes the direction.

    Args:
        trainer: the Trainer.
        module: its module.
        own: the side whose pass Lightning makes itself.
        wanted: the sides that the strategy needs.
        losses: for each side a function of (module, batch, batch_idx) instead of the user's `training_step`.
        objective: whose outer function the forget side minimises.
        hold: where a window's batches are kept.
        seed: of the random streams of passes that Lightning does not make itself.
        batch_norm: mode of batch normalisation in the forget side's passes.
    """

    def __init__(
        self,
        trainer: Trainer,
        module: LightningModule,
        *,
        own: SideName,
        wanted: tuple[SideName, ...],
        losses: Mapping[SideName, LossFunction | None],
        objective: Objective,
        hold: Literal["device", "cpu"],
        seed: int,
        batch_norm: Literal["train", "eval"],
    ) -> None:
        self.trainer = trainer
        self.module = module
        self.own: SideName = own
        self.wanted = wanted
        self.step = 0
        self._losses = losses
        self._outer = None if type(objective).outer is Objective.outer else objective.outer
        self._hold = hold
        self._seed = seed
        self._raw: Mapping[str, Any] = {}
        self._window: list[MicroBatch] = []
        self._closed = True
        self._samples: dict[int, int] = {}
        self._own_metrics: Metrics | None = None
        self._own_mode = ExitStack()
        self._sides: dict[SideName, Side] = {}
        self._patches = Patches()
        self._router = LogRouter(module)
        self._training_step = trainer.strategy.training_step
        self._user_step = module.training_step
        self._runner = Runner(trainer, module, self._training_step, self._router, seed, batch_norm)
        self._writer = Writer(self._runner)

    # ---- attaching and detaching -------------------------------------------------------------------------------
    def open(self) -> None:
        """Attach: three instance attributes are replaced, of the module, of the data's owner, of the strategy."""
        owners = [o for o in (self.module, getattr(self.trainer, "datamodule", None)) if o is not None]
        self._transfer_may_draw = any(
            is_overridden(hook, owner) for hook in _TRANSFER_HOOKS for owner in owners
        )
        owner = self._owner_of_transfer_hooks()
        self._before_transfer = owner.on_before_batch_transfer
        self._patches.set(owner, "on_before_batch_transfer", self._split)
        self._patches.set(self.module, "log", self._router.replacement)
        self._patches.set(self.trainer.strategy, "training_step", self._own_pass)

    def close(self) -> None:
        """Detach; to be called after the fit and after any exception."""
        self._patches.undo()
        self._restore_after_own_pass()
        self._window, self._sides, self._raw = [], {}, {}

    def _owner_of_transfer_hooks(self) -> Any:
        # Lightning warns about a hook of the module beside a datamodule: patch the module only where it has its own
        datamodule = getattr(self.trainer, "datamodule", None)
        if datamodule is None:
            return self.module
        hook = "on_before_batch_transfer"
        module_has_one = is_overridden(hook, self.module) and not is_overridden(hook, datamodule)
        return self.module if module_has_one else datamodule

    # ---- data --------------------------------------------------------------------------------------------------
    def _split(self, batch: Any, dataloader_idx: int) -> Any:
        if self.trainer.training and isinstance(batch, Mapping) and batch and set(batch) <= set(SIDES):
            self._raw = batch
            batch = batch.get(self.own)
        return self._before_transfer(batch, dataloader_idx)

    def begin_batch(self, batch: Any, batch_idx: int) -> None:
        """Take in one batch: Lightning's own half has been transferred, the other half is now."""
        raw, self._raw = self._raw, {}
        if self._closed:
            self._window, self._samples = [], {}
        halves = {str(self.own): batch}
        for side in self.wanted:
            if side != self.own and raw.get(side) is not None:
                halves[side] = self._transferred(raw[side], len(self._window))
        self._window.append(MicroBatch(halves, batch_idx).held(self._hold))
        self._closed = self.at_boundary(batch_idx)

    def _transferred(self, batch: Any, position: int) -> Any:
        device = self._runner.device
        with _streams.isolated(device) if self._transfer_may_draw else nullcontext():  # hooks may augment
            if self._transfer_may_draw:
                _streams.start(device, self._seed, self.step, position, self.trainer.global_rank, 1)
            batch = self._before_transfer(batch, 0)
            return self.trainer.strategy.batch_to_device(batch, dataloader_idx=0)

    def forget_window(self) -> None:
        """Drop what an epoch left unfinished."""
        self._window, self._closed = [], True

    def at_boundary(self, batch_idx: int) -> bool:
        """Whether the optimiser steps after the batch."""
        trainer = self.trainer
        reached = batch_idx + 1
        window_is_full = reached % trainer.accumulate_grad_batches == 0
        return window_is_full or trainer.is_last_batch or reached == trainer.num_training_batches

    # ---- Lightning's own pass ----------------------------------------------------------------------------------
    def _own_pass(self, batch: Any, *arguments: Any) -> Any:
        """Stands in for `trainer.strategy.training_step`: the user's step, with its starting state recorded."""
        if not self._window:
            raise ConfigurationError(
                "`training_step` must run inside the fit that the strategy was set up for, found a run without its "
                "callbacks, as `LearningRateFinder`, `BatchSizeFinder` and `Tuner` make. Use them before unlearning, "
                "without a strategy."
            )
        micro = self._window[-1]
        micro.arguments = arguments
        micro.streams = _streams.record(self._runner.device)
        micro.buffers = Buffers(self.module)
        self._runner.position = len(self._window) - 1
        logged: AbstractContextManager[None] = nullcontext()
        if self.own == "forget":
            self._own_metrics = Metrics(self.module)
            self._own_mode.enter_context(self._runner.normalised("forget"))  # up to the end of backward
            logged = self._router.renamed(batch)
        with logged, self._runner.substituted(self._losses[self.own], micro.index):
            output = self._training_step(batch, *arguments)
        loss = loss_of(output)
        if loss is not None and self.own == "forget":
            check_graph(loss, "forget")
        micro.loss = None if loss is None else loss.detach()
        if loss is None:
            self._restore_after_own_pass()
        return output

    def _restore_after_own_pass(self) -> None:
        # a forget batch leaves no trace in buffers and metrics, whoever runs it
        self._own_mode.close()
        if self._own_metrics is not None:
            self._own_metrics.restore()
            self._own_metrics = None
            if self._window and self._window[-1].buffers is not None:
                self._window[-1].buffers.restore()

    def after_own_backward(self) -> None:
        """To be called when Lightning's backward pass is over: batch normalisation saves its statistics for it."""
        self._restore_after_own_pass()

    # ---- the boundary ------------------------------------------------------------------------------------------
    @property
    def busy(self) -> bool:
        """Whether one of our passes is running."""
        return self._runner.busy

    @property
    def has_own_loss(self) -> bool:
        """Whether Lightning's own pass gave a loss anywhere in the window."""
        return any(micro.loss is not None for micro in self._window)

    def sides(self) -> tuple[Side | None, Side | None]:
        """The forget and the retain side at the current weights, `None` if not needed; nothing is computed yet."""
        window, runner = list(self._window), self._runner
        runner.known = None
        parameters = runner.known = runner.parameters()
        first_forget_pass = [True]

        def side_of(name: SideName) -> Side:
            def evaluate(*, vector: Gradient | None = None) -> Result:
                log = name == "forget" and name != self.own and first_forget_pass[0]
                if name == "forget":
                    first_forget_pass[0] = False
                return runner.run(
                    name,
                    window,
                    loss_function=self._losses[name],
                    repeats=name == self.own,
                    log=log,
                    step=self.step,
                    hold=self._hold,
                    vector=vector,
                )

            own = self._own_result(parameters) if name == self.own else None
            outer = self._outer if name == "forget" else None
            return Side(
                self.module, parameters, evaluate, self._averaged, outer, own, str(self.trainer.precision)
            )

        # its own side even if not wanted: a step falls back to it
        self._sides = {name: side_of(name) for name in {*self.wanted, self.own}}
        return self._sides.get("forget"), self._sides.get("retain")

    def _own_result(self, parameters: dict[str, Any]) -> Result:
        gradient = self._runner.gradient(parameters)
        if self._runner.reuses_gradient_memory and len(self.wanted) > 1:
            gradient = gradient.clone()
        losses = [micro.loss for micro in self._window if micro.loss is not None]
        share = len(losses) / self.trainer.accumulate_grad_batches
        return Result(gradient, torch.stack(losses).mean() if losses else None, share)

    def _averaged(self, value: Tensor) -> Tensor:
        return self.trainer.strategy.reduce(value.clone(), reduce_op="mean")

    def write(self, direction: Gradient) -> None:
        """Put the direction into `p.grad`, scaled as Lightning expects it, if every pass was finite."""
        sides, self._sides = self._sides, {}
        self._writer.write(direction, sides, falls_back=self.own == "retain")
        self._runner.known = None

    def take_unhealthy(self) -> int:
        """Number of non-finite windows since the last call; synchronises with the device."""
        return self._writer.take_unhealthy()

    # ---- for strategies and losses --------------------------------------------------------------------------------------------
    def parameters(self) -> dict[str, nn.Parameter]:
        """The trainable parameters by name."""
        return self._runner.parameters()

    def training_loss(self, batch: Any) -> Tensor | None:
        """The user's own `training_step`, to be called from inside a pass."""
        return loss_of(self._user_step(batch, *self._window[self._runner.position].arguments))

    def context(self) -> Context:
        """What an objective may know about the running pass."""
        kwargs = getattr(self.trainer.strategy, "distributed_sampler_kwargs", None) or {}
        return Context(
            training_loss=self.training_loss,
            step=self.step,
            micro_batch=self._runner.position,
            rank=int(kwargs.get("rank", 0)),
            world_size=int(kwargs.get("num_replicas", 1)),
            samples=self._samples,
        )
