"""What a side of an accumulation window gives: Lightning's own pass as it was made, every other one on demand."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

from torch import nn

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.passes._arrival import Visit
from lightning_unlearn.passes._loss import mean_of
from lightning_unlearn.passes._runner import LossFunction, Result, Runner
from lightning_unlearn.passes._sides import SideName
from lightning_unlearn.passes._window import MicroBatch
from lightning_unlearn.weights import shifted


class Repetition:
    """Passes over a window whose batches Lightning has gone through, on one of the sides.

    Args:
        runner: makes the passes.
        window: the micro-batches.
        own: the side that Lightning has gone through.
        is_whole: whether Lightning's gradients are those of the whole window at the weights of now.
        shares_memory: whether other passes follow that may overwrite Lightning's gradients.
        losses: for each side what stands for the user's `training_step`.
        step: number of optimiser steps so far.
        hold: where the batches were kept.
    """

    def __init__(
        self,
        runner: Runner,
        window: list[MicroBatch],
        *,
        own: SideName,
        is_whole: bool,
        shares_memory: bool,
        losses: Mapping[SideName, LossFunction | None],
        step: int,
        hold: str,
    ) -> None:
        self._runner, self._window, self._own = runner, window, own
        self._is_whole, self._shares_memory = is_whole, shares_memory
        self._losses, self._step, self._hold = losses, step, hold
        self._has_logged = False

    def known(self, side: SideName, parameters: dict[str, nn.Parameter]) -> Result | None:
        """What Lightning's own pass gave, if it was of that side."""
        if side != self._own or not self._is_whole:
            return None
        gradient = self._runner.gradient(parameters)
        if self._runner.reuses_gradient_memory and self._shares_memory:
            gradient = gradient.clone()
        losses = [micro.loss for micro in self._window if micro.loss is not None]
        share = len(losses) / self._runner.trainer.accumulate_grad_batches
        divisors = [micro.divisor for micro in self._window if micro.divisor is not None]
        return Result(gradient, mean_of(losses), share, mean_of(divisors))

    def passed(
        self,
        side: SideName,
        parameters: dict[str, nn.Parameter],
        *,
        vector: Gradient | None,
        at: Gradient | None,
        visit: Visit | None = None,
    ) -> Result:
        """One pass, at the current weights or beside them; the first forget pass of a window logs."""
        if visit is not None and len(self._window) > 1:
            raise ConfigurationError(
                '`granularity="tensor"` must have one batch a step, found an accumulation window of '
                f"{len(self._window)}. Leave `accumulate_grad_batches` at 1."
            )
        log = side == "forget" and side != self._own and not self._has_logged
        self._has_logged = self._has_logged or log
        with nullcontext() if at is None else shifted(parameters, at):
            return self._runner.run(
                side,
                self._window,
                loss_function=self._losses[side],
                repeats=side == self._own,
                log=log,
                step=self._step,
                hold=self._hold,
                vector=vector,
                visit=visit,
            )
