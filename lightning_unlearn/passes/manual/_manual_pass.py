from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from lightning_unlearn.gradient import Gradient
from lightning_unlearn.passes import _streams
from lightning_unlearn.passes._arrival import Visit
from lightning_unlearn.passes._runner import LossFunction, Result, Runner
from lightning_unlearn.passes._sides import SideName
from lightning_unlearn.passes._window import MicroBatch
from lightning_unlearn.passes.manual._checks import check_order, check_repeatable, mismatch
from lightning_unlearn.passes.manual._coroutine import ENDED, Coroutine
from lightning_unlearn.passes.manual._interception import Interception
from lightning_unlearn.passes.manual._replay import Step, Weights
from lightning_unlearn.passes.manual._run import Run
from lightning_unlearn.passes.manual._world import World


class ManualPass:
    """One batch under manual optimisation.

    The own side's run of `training_step` is Lightning's call. The other side's is a coroutine: it begins when the own
    run comes to its first optimiser step, waits at each of its own steps, and continues at the weights after it. So
    every step sees both gradients at the weights at which it is taken.

    Args:
        runner: makes backward passes, and knows the parameters of the optimiser that is to step.
        micro: both batches, with the state in which Lightning entered `training_step`.
        batch: the own side's, as Lightning passes it to `training_step`.
        own: the side of Lightning's call.
        wanted: the sides that the strategy needs.
        losses: for each side what stands for the loss that the user hands to `manual_backward`.
        training_step: the user's.
        decide: writes the direction into `p.grad` of the parameters that `runner` knows.
        key: of the random streams of the other side.
        carried: the other side's gradients that earlier batches have left.
        hold: where the batch was kept.
    """

    def __init__(
        self,
        runner: Runner,
        micro: MicroBatch,
        batch: Any,
        *,
        own: SideName,
        wanted: tuple[SideName, ...],
        losses: Mapping[SideName, LossFunction | None],
        training_step: Callable[..., Any],
        decide: Callable[[], None],
        key: tuple[int, ...],
        carried: dict[nn.Parameter, Tensor],
        hold: str,
    ) -> None:
        self.own: SideName = own
        self.optimizer = 0
        self._results: dict[SideName, Result] = {}
        self.carried = carried
        self._runner, self._micro, self._losses = runner, micro, losses
        self._training_step, self._decide, self._key, self._hold = training_step, decide, key, hold
        self._steps: list[Step] = []
        self._clip: Callable[[], None] | None = None
        self._entry = World(runner)
        self._left = {own: self._entry.gradients}
        self._active = self._own = Run(runner, own, batch, micro.index, losses[own])
        self._other: Run | None = None
        for side in wanted:
            if side != own and side in micro.halves:
                self._other = self._new(side, carried)
                self._left[side] = dict(carried)

    # ---- the two runs ------------------------------------------------------------------------------------------
    def run(self, lightning_call: Callable[[], Any]) -> Any:
        """Make Lightning's call, and the other side's run in between; what that call returns."""
        schedulers = [config.scheduler for config in self._runner.trainer.lr_scheduler_configs]
        try:
            with Interception(self._runner.module, schedulers, self):
                output = lightning_call()
                if self._other is not None:
                    self._end(self._other)
            return output
        finally:
            if self._other is not None and self._other.coroutine is not None:
                self._other.coroutine.close()

    def _end(self, other: Run) -> None:
        question = self._resumed(other, None)
        if question is not ENDED:
            raise mismatch(other.side, question, self.own, None)
        assert other.world is not None
        self.carried = {p: g for p, g in other.world.gradients.items() if g is not None}

    def _new(
        self,
        side: SideName,
        gradients: Mapping[nn.Parameter, Tensor],
        vector: tuple[dict[str, nn.Parameter], Gradient] | None = None,
    ) -> Run:
        """A run that begins as Lightning entered `training_step`, and goes on when it is resumed."""
        micro, runner = self._micro, self._runner
        assert micro.streams is not None
        assert micro.buffers is not None
        batch = micro.half(side, runner.device, self._hold)
        run = Run(runner, side, batch, micro.index, self._losses[side], vector)
        streams = micro.streams
        if side != self.own:
            with _streams.isolated(runner.device):
                _streams.start(runner.device, *self._key)
                streams = _streams.record(runner.device)
        run.world = self._entry.beginning(gradients, micro.buffers, streams)

        def body() -> None:
            with runner.trainer.precision_plugin.train_step_context():
                self._training_step(batch, *micro.arguments)

        run.coroutine = Coroutine(body, runner.device)
        return run

    def _resumed(self, run: Run, answer: Any) -> Any:
        """Let a run go on to its next step, or to its end."""
        assert run.world is not None
        assert run.coroutine is not None
        if self.is_own:
            self._runner.moved.settle()
        with ExitStack() as stack:
            stack.enter_context(self._runner.marked_busy())
            stack.enter_context(run.world.entered())
            stack.enter_context(self._runner.normalised(run.side))
            stack.enter_context(self._runner.logged(run.batch, run is self._other))
            stack.enter_context(self._made_active(run))
            return run.coroutine.resume(answer)

    @contextmanager
    def _made_active(self, run: Run) -> Iterator[None]:
        before, self._active = self._active, run
        try:
            yield
        finally:
            self._active = before

    # ---- what `training_step` calls ----------------------------------------------------------------------------
    @property
    def is_own(self) -> bool:
        """Whether Lightning's own call is running."""
        return self._active is self._own

    def backward(
        self, loss: Tensor, lightning_backward: Callable[..., None], *args: Any, **kwargs: Any
    ) -> None:
        """Stand in for `manual_backward`."""
        kwargs |= zip(("gradient", "retain_graph", "create_graph", "inputs"), args, strict=False)
        self._active.backward(loss, lambda mine: lightning_backward(mine, **kwargs), **kwargs)

    def training_loss(self, batch: Any) -> Tensor:
        """What the user has handed to `manual_backward`."""
        return self._active.training_loss(batch)

    def clip(self, clip: Callable[[], None]) -> None:
        """Stand in for `clip_gradients`: what is clipped is the direction, once it is there."""
        if self.is_own:
            self._clip = clip

    def step(self, index: int, closure: Callable[[], Any] | None, lightning_step: Callable[..., Any]) -> Any:
        """Stand in for `step` of an optimiser."""
        coroutine = self._active.coroutine
        if coroutine is None:
            return self._own_step(index, closure, lightning_step)
        while True:  # an optimiser such as LBFGS evaluates its closure several times
            result = None if closure is None else closure()
            if not coroutine.ask(index):
                return result

    def _own_step(
        self, index: int, closure: Callable[[], Any] | None, lightning_step: Callable[..., Any]
    ) -> Any:
        parameters = self._parameters_of(index)
        own: dict[nn.Parameter, Tensor | None] = {}

        def combined() -> Any:
            again = bool(own)
            _put(own)  # a closure that is called again adds to its own gradients, not to the direction
            result = None if closure is None else closure()
            own.update({p: p.grad for p in parameters.values()})
            self._meet(index, again)
            self._combine(index, parameters)
            return result

        step = Step(index, parameters)
        output = lightning_step(combined)
        _put(own)
        self._steps.append(step)
        return output

    def _meet(self, index: int, again: bool) -> None:
        if self._other is None:
            return
        reached = self._resumed(self._other, again)
        if reached != index:
            raise mismatch(self._other.side, None if reached is ENDED else reached, self.own, index)

    def _combine(self, index: int, parameters: dict[str, nn.Parameter]) -> None:
        self.optimizer, self._runner.known = index, parameters
        runs = [run for run in (self._own, self._other) if run is not None]
        self._results = {run.side: run.result(parameters) for run in runs}
        try:
            self._decide()
        finally:
            self._runner.known, self._results = None, {}
        clip, self._clip = self._clip, None
        if clip is not None:
            clip()

    def _parameters_of(self, index: int) -> dict[str, nn.Parameter]:
        groups = self._runner.trainer.optimizers[index].param_groups
        moved = {id(p) for group in groups for p in group["params"]}
        named = self._runner.module.named_parameters()
        return {name: p for name, p in named if id(p) in moved and p.requires_grad}

    # ---- the same again, elsewhere -----------------------------------------------------------------------------
    def known(self, side: SideName, parameters: dict[str, nn.Parameter]) -> Result:
        """Gradients and losses of both runs at the step that they have come to."""
        return self._results.get(side) or Result(Gradient(dict.fromkeys(parameters)), None)

    def passed(
        self,
        side: SideName,
        parameters: dict[str, nn.Parameter],
        *,
        vector: Gradient | None,
        at: Gradient | None,
        visit: Visit | None = None,
    ) -> Result:
        """This batch's run up to the current step once more, with the weights of then, moved by `at`."""
        assert visit is None  # refused in setup
        other = None if side == self.own or self._other is None else self._other.world
        now = {p: p.grad for p in parameters.values()} if other is None else other.gradients
        check_repeatable(self._runner, parameters, self._left.get(side, {}), now)
        run = self._new(side, {}, None if vector is None else (parameters, vector))
        assert run.coroutine is not None
        weights = Weights(self._steps, parameters, at)
        try:
            with weights.held():
                for step in self._steps:
                    check_order(self._resumed(run, False), step.optimizer, side)
                    run.pass_over_step()
                    weights.advance()
                check_order(self._resumed(run, False), self.optimizer, side)
                return run.result(parameters)
        finally:
            run.coroutine.close()


def _put(gradients: Mapping[nn.Parameter, Tensor | None]) -> None:
    for p, gradient in gradients.items():
        p.grad = gradient
