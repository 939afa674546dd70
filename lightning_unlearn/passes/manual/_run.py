from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lightning_unlearn._tensors import whole
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.objectives import Quotient
from lightning_unlearn.passes._runner import LossFunction, Result, Runner
from lightning_unlearn.passes._sides import SideName
from lightning_unlearn.passes.manual._coroutine import Coroutine

if TYPE_CHECKING:
    from lightning_unlearn.passes.manual._world import World


class Run:
    """One run of the user's `training_step` under manual optimisation, on one side's batch.

    Args:
        runner: makes backward passes.
        side: whose batch.
        batch: that batch.
        index: Lightning's `batch_idx`.
        loss_function: stands for what the user hands to `manual_backward`; `None` for that itself.
        vector: of a Hessian-vector product, with the parameters it belongs to; `None` for gradients.
    """

    coroutine: Coroutine | None = None  # none for the run that is Lightning's own call
    world: World | None = None

    def __init__(
        self,
        runner: Runner,
        side: SideName,
        batch: Any,
        index: int,
        loss_function: LossFunction | None,
        vector: tuple[dict[str, nn.Parameter], Gradient] | None = None,
    ) -> None:
        self.side: SideName = side
        self.batch = batch
        self._runner, self._index = runner, index
        self._loss_function = loss_function
        self._vector = vector
        self._losses: list[Tensor] = []
        self._last: Tensor | None = None
        self._pending: Tensor | None = None
        self._passes = 0

    # ---- losses ------------------------------------------------------------------------------------------------
    def backward(self, loss: Tensor, lightning_backward: Callable[[Tensor], None], **arguments: Any) -> None:
        """Stand in for `manual_backward`: of the loss that this side minimises."""
        mine = self._substituted(loss)
        self._passes += 1
        if mine is None:
            return
        self._losses.append(mine.detach().sum())
        if self.coroutine is None:
            lightning_backward(mine)
            return
        parameters, vector = self._vector or ({}, None)
        self._runner.backward(mine, parameters, vector, self.side, **arguments)

    def _substituted(self, loss: Tensor) -> Tensor | None:
        if self._loss_function is None:
            return loss
        self._pending = loss
        try:
            mine = self._loss_function(self._runner.module, self.batch, self._index)
            used = self._pending is None
        finally:
            self._pending = None
        if not used and self._losses:
            raise ConfigurationError(
                f"A loss of the {self.side} side that is made from predictions must stand for one loss a step, found a "
                "second `manual_backward` before the step. Use an objective that is a function of the training loss, "
                "such as `Ascent()`, or add the losses up first."
            )
        if isinstance(mine, Quotient):  # here a window is one loss, of all processes
            mean = self._runner.trainer.strategy.reduce(
                whole(mine.divisor.detach()).clone(), reduce_op="mean"
            )
            return mine.numerator / mean
        return mine

    def training_loss(self, batch: Any) -> Tensor:
        """The loss that the user has just handed over: under manual optimisation, that is the training loss."""
        if batch is not self.batch or self._pending is None:
            raise ConfigurationError(
                "The training loss under manual optimisation must be that of the batch at hand, found another batch, as "
                "`Relabel` makes. Use an objective that leaves the batch as it is."
            )
        loss, self._pending = self._pending, None
        return loss

    def pass_over_step(self) -> None:
        """The losses from here on are the next step's."""
        if self._losses:
            self._last, self._losses = torch.stack(self._losses).sum(), []

    def result(self, parameters: dict[str, nn.Parameter]) -> Result:
        """Gradients as they stand, and the sum of the losses since the last step, at an optimiser's step."""
        with ExitStack() as stack:
            if self.world is not None:
                stack.enter_context(self.world.entered())
            gradient = self._runner.gradient(parameters, in_place=False)
        self.pass_over_step()
        needs_backward = self._loss_function is not None or self._vector is not None
        if needs_backward and not self._passes and any(t is not None for t in gradient.tensors):
            raise ConfigurationError(
                f"`training_step` must hand each loss to `self.manual_backward`, found a gradient of the {self.side} side "
                "without. Replace `loss.backward()` by `self.manual_backward(loss)`."
            )
        return Result(gradient, self._last)
