"""Everything that is attached to a Trainer and a module for the length of one fit, and detached afterwards."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn

from lightning_unlearn._tensors import whole
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.objectives import Context, Objective
from lightning_unlearn.passes import _streams
from lightning_unlearn.passes._log_router import LogRouter
from lightning_unlearn.passes._loss import check_graph, loss_of, quotient_of
from lightning_unlearn.passes._pairs import Pairs
from lightning_unlearn.passes._patches import Patches
from lightning_unlearn.passes._reducer import averaged
from lightning_unlearn.passes._repetition import Repetition
from lightning_unlearn.passes._runner import LossFunction, Runner
from lightning_unlearn.passes._side import Side
from lightning_unlearn.passes._sides import SideName
from lightning_unlearn.passes._traces import Buffers, Undo
from lightning_unlearn.passes._window import MicroBatch
from lightning_unlearn.passes._writer import Writer
from lightning_unlearn.passes.manual import ManualPass


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
        arriving: called when a training batch is about to be transferred, before any hook of the batch.
        decide: called when the optimiser of a module that steps it itself is about to step: takes :meth:`sides`, and
            hands the direction to :meth:`write`.
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
        arriving: Callable[[], None],
        decide: Callable[[], None],
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
        self._pairs = Pairs(trainer, module, own, arriving)
        self._decide = decide
        self._manual: ManualPass | None = None
        self._carried: dict[nn.Parameter, Tensor] = {}
        self._window: list[MicroBatch] = []
        self._closed = True
        self._is_stale = False
        self._samples: dict[int, int] = {}
        self._undo = Undo()
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
        self._pairs.patch(self._patches)
        self._patches.set(self.module, "log", self._router.replacement)
        self._patches.set(self.trainer.strategy, "training_step", self._own_pass)

    def close(self) -> None:
        """Detach; to be called after the fit and after any exception."""
        self._patches.undo()
        self._undo.end()
        self._window, self._sides, self._carried = [], {}, {}
        self._pairs.take()

    # ---- data --------------------------------------------------------------------------------------------------
    def begin_batch(self, batch: Any, batch_idx: int) -> None:
        """Take in one batch: Lightning's own half has been transferred, the other half is now."""
        raw = self._pairs.take()
        if self._closed or self._forward_only:
            self._window, self._samples = [], {}
        halves = {str(self.own): batch}
        for side in self.wanted:
            if side != self.own and raw.get(side) is not None:
                key = (self._seed, self.step, len(self._window), self._runner.replica, 1)
                halves[side] = self._pairs.transferred(raw[side], *key)
        self._window.append(MicroBatch(halves, batch_idx).held(self._hold))
        self._closed = self.at_boundary(batch_idx)

    def forget_window(self) -> None:
        """Drop what an epoch left unfinished."""
        self._runner.moved.begin_epoch()
        self._undo.end()
        self._window, self._closed = [], True

    def at_boundary(self, batch_idx: int) -> bool:
        """Whether the optimiser steps after the batch."""
        trainer = self.trainer
        if self._forward_only:
            return False
        reached = batch_idx + 1
        window_is_full = reached % trainer.accumulate_grad_batches == 0
        return window_is_full or trainer.is_last_batch or reached == trainer.num_training_batches

    @property
    def _forward_only(self) -> bool:
        # private: `StochasticWeightAveraging` ends with an epoch that only moves running statistics
        return self.trainer.fit_loop._skip_backward

    # ---- Lightning's own pass ----------------------------------------------------------------------------------
    def _own_pass(self, batch: Any, *arguments: Any) -> Any:
        """Stands in for `trainer.strategy.training_step`: the user's step, with its starting state recorded."""
        if not self._window:
            raise ConfigurationError(
                "`training_step` must run inside the fit that the strategy was set up for, found a run without its "
                "callbacks. Leave the strategy in `trainer.callbacks`."
            )
        micro = self._window[-1]
        micro.arguments = arguments
        # an optimiser that calls its closure again wants the whole window at the new weights, not its last batch
        self._is_stale = micro.streams is not None and len(self._window) > 1
        micro.streams = _streams.record(self._runner.device)
        micro.buffers = Buffers(self.module.modules(), self._runner.moved.values())
        self._runner.moved.watch()
        self._runner.position = len(self._window) - 1
        logged: AbstractContextManager[None] = nullcontext()
        if self.own == "forget":
            self._undo.begin(self.module, micro.buffers, self._runner.normalised("forget"))
            logged = self._router.renamed(batch)
        if self.is_manual:
            with logged:
                return self._own_manual_pass(batch, micro)
        with (
            logged,
            self._runner.marked_busy(),
            self._runner.substituted(self._losses[self.own], micro.index),
        ):
            output = self._training_step(batch, *arguments)
        self._runner.moved.settle(ends=True)
        loss, micro.divisor = quotient_of(output)
        if loss is not None and self.own == "forget":
            check_graph(loss, "forget")
        micro.loss = None if loss is None else whole(loss.detach())
        if loss is None:
            self._undo.end()
        return output if micro.divisor is None else loss

    def _own_manual_pass(self, batch: Any, micro: MicroBatch) -> Any:
        self._manual = ManualPass(
            self._runner,
            micro,
            batch,
            own=self.own,
            wanted=self.wanted,
            losses=self._losses,
            training_step=self._user_step,
            decide=self._router.through()(self._decide),  # in the middle of a batch whose logs are renamed
            key=(self._seed, self.step, 0, self._runner.replica),
            carried=self._carried,
            hold=self._hold,
        )
        try:
            output = self._manual.run(lambda: self._training_step(batch, *micro.arguments))
            self._carried = self._manual.carried
        finally:
            self._manual = None
            self._runner.moved.settle(ends=True)
        self._undo.end()
        return output

    def after_own_backward(self) -> None:
        """To be called when Lightning's backward pass is over: batch normalisation saves its statistics for it."""
        if not self.is_manual:
            with averaged(self.trainer.strategy.model, self.own):
                self._undo.end()

    # ---- the boundary ------------------------------------------------------------------------------------------
    @property
    def busy(self) -> bool:
        """Whether one of our passes is running."""
        return self._runner.busy

    @property
    def is_manual(self) -> bool:
        """Whether the module steps its optimisers itself."""
        return not self.module.automatic_optimization

    @property
    def optimizer(self) -> int | None:
        """Which of several optimisers is about to step; `None` if there is one."""
        return None if self._manual is None or len(self.trainer.optimizers) == 1 else self._manual.optimizer

    @property
    def has_own_loss(self) -> bool:
        """Whether Lightning's own pass gave a loss anywhere in the window."""
        return any(micro.loss is not None for micro in self._window)

    def sides(self) -> tuple[Side | None, Side | None]:
        """The forget and the retain side at the current weights, `None` if not needed; nothing is computed yet."""
        passes = self._passes()
        parameters = self._runner.known = self._runner.parameters()
        # its own side even if not wanted: a step falls back to it
        self._sides = {name: self._side(name, parameters, passes) for name in {*self.wanted, self.own}}
        return self._sides.get("forget"), self._sides.get("retain")

    def _passes(self) -> Repetition | ManualPass:
        if self._manual is not None:
            return self._manual
        self._runner.known = None
        return Repetition(
            self._runner,
            list(self._window),
            own=self.own,
            is_whole=not self._is_stale,
            shares_memory=len(self.wanted) > 1,
            losses=self._losses,
            step=self.step,
            hold=self._hold,
        )

    def _side(
        self, name: SideName, parameters: dict[str, nn.Parameter], passes: Repetition | ManualPass
    ) -> Side:
        return Side(
            self.module,
            parameters,
            functools.partial(passes.passed, name, parameters),
            self._averaged,
            self._outer if name == "forget" else None,
            passes.known(name, parameters),
            str(self.trainer.precision),
        )

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

    # ---- for strategies and losses -----------------------------------------------------------------------------
    def parameters(self) -> dict[str, nn.Parameter]:
        """The trainable parameters by name."""
        return self._runner.parameters()

    def training_loss(self, batch: Any) -> Tensor | None:
        """The user's own `training_step`, to be called from inside a pass."""
        if self._manual is not None:
            return self._manual.training_loss(batch)
        return loss_of(self._user_step(batch, *self._window[self._runner.position].arguments))

    def context(self) -> Context:
        """What an objective may know about the running pass."""
        kwargs = getattr(self.trainer.strategy, "distributed_sampler_kwargs", None) or {}
        return Context(
            self.training_loss,
            step=self.step,
            micro_batch=self._runner.position,
            rank=int(kwargs.get("rank", 0)),
            world_size=int(kwargs.get("num_replicas", 1)),
            samples=self._samples,
        )
