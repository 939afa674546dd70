"""One pass: a side's window through the Trainer, forward and backward, leaving no trace but the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.profilers import Profiler
from lightning.pytorch.strategies import ParallelStrategy
from torch import Tensor, nn

from lightning_unlearn._tensors import placed_like, whole
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.objectives import Quotient
from lightning_unlearn.passes import _streams
from lightning_unlearn.passes._arrival import Visit, taken_on_arrival
from lightning_unlearn.passes._log_router import LogRouter
from lightning_unlearn.passes._loss import check_graph, mean_of, quotient_of
from lightning_unlearn.passes._moved import MovedByHand
from lightning_unlearn.passes._patches import patched
from lightning_unlearn.passes._reducer import averaged
from lightning_unlearn.passes._second_order import directional_derivative, twice_differentiable
from lightning_unlearn.passes._traces import batch_norm_evaluating, no_trace
from lightning_unlearn.passes._window import MicroBatch
from lightning_unlearn.weights import reshard

LossFunction: TypeAlias = Callable[[LightningModule, Any, int], "Tensor | Quotient | None"]


class Result(NamedTuple):
    """What a pass gives.

    Attributes:
        gradient: unscaled, averaged over ranks.
        loss: mean over this rank's window; `None` if no batch gave a loss.
        share: the gradient is this many times that of the mean loss: Lightning divides by
            `accumulate_grad_batches` in a shorter last window, too.
        divisor: mean over this rank's window of what gradient and loss are still to be divided by; `None` for nothing.
    """

    gradient: Gradient
    loss: Tensor | None
    share: float = 1.0
    divisor: Tensor | None = None


class Runner:
    """Runs passes over a window at whatever weights the module has at the moment.

    Args:
        trainer: its Trainer strategy does the forward pass, so that wrappers, autocast and compilation act.
        module: the user's module.
        training_step: `trainer.strategy.training_step`, before anything was patched.
        router: of the module's `log`.
        seed: of the random streams of passes that Lightning has not made itself.
        batch_norm: mode of batch normalisation in the forget side's passes.
    """

    def __init__(
        self,
        trainer: Trainer,
        module: LightningModule,
        training_step: Any,
        router: LogRouter,
        seed: int,
        batch_norm: Literal["train", "eval"],
    ) -> None:
        self.trainer = trainer
        self.module = module
        self.router = router
        self.busy = False
        self.position = 0
        self.moved = MovedByHand(module)
        self.known: dict[str, nn.Parameter] | None = None  # during a boundary they stay the same
        # the latest answer of `parameters`, and all that get gradients: more, if an optimiser leaves some out
        self._looked_up: tuple[dict[str, nn.Parameter], list[nn.Parameter]] = {}, []
        self._training_step = training_step
        self._seed = seed
        self._batch_norm = batch_norm

    # ---- parameters --------------------------------------------------------------------------------------------
    def parameters(self) -> dict[str, nn.Parameter]:
        """The trainable parameters by name: those that require a gradient and that the optimiser moves."""
        if self.known is not None:
            return self.known
        if not self.busy:  # never in the middle of a forward pass
            reshard(self.module)
        moved = {id(p) for o in self.trainer.optimizers for g in o.param_groups for p in g["params"]}
        named = [(name, p) for name, p in self.module.named_parameters() if p.requires_grad]
        found = {name: p for name, p in named if id(p) in moved}
        self._looked_up = found, [p for _, p in named]
        return found

    def gradient(self, parameters: Mapping[str, nn.Parameter], *, in_place: bool = True) -> Gradient:
        """What stands in `p.grad`, unscaled; in place, or in memory of its own."""
        for name, parameter in parameters.items():
            if parameter.grad is not None and parameter.grad.is_sparse:
                raise ConfigurationError(
                    f"Gradients must be dense, found a sparse one for parameter `{name}`. Build its module with "
                    "`sparse=False`."
                )
        # of a replicated parameter beside sharded activations (a norm in sequence parallelism) each process has a part
        gradients = {n: None if p.grad is None else placed_like(p.grad, p) for n, p in parameters.items()}
        gradient = Gradient(gradients)
        gradient = gradient if in_place else gradient.clone()
        scale = self.scale()
        return gradient if scale is None else gradient.mul_(1.0 / scale)

    def scale(self) -> Tensor | None:
        """The scaler's factor as a 0-d tensor, without a host synchronisation; `None` without a scaler."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        return None if scaler is None else scaler.scale(torch.ones((), device=self.device))

    @property
    def device(self) -> torch.device:
        """Where batches go."""
        return self.trainer.strategy.root_device

    @property
    def replica(self) -> int:
        """Which share of the data this process sees; processes of one tensor-parallel group see the same."""
        return int((getattr(self.trainer.strategy, "distributed_sampler_kwargs", None) or {}).get("rank", 0))

    @property
    def reuses_gradient_memory(self) -> bool:
        """Whether the next backward pass overwrites the tensors that `p.grad` holds now."""
        return bool(getattr(self.trainer.strategy.model, "gradient_as_bucket_view", False))

    # ---- the pass ----------------------------------------------------------------------------------------------
    def run(
        self,
        side: str,
        window: list[MicroBatch],
        *,
        loss_function: LossFunction | None,
        repeats: bool,
        log: bool,
        step: int,
        hold: str,
        vector: Gradient | None = None,
        visit: Visit | None = None,
    ) -> Result:
        """Gradient of a side's loss, or its Hessian times `vector`.

        Args:
            side: which half of the window.
            window: its micro-batches.
            loss_function: replaces the user's `training_step`; `None` for that itself.
            repeats: whether Lightning has made this pass already; its random numbers are then replayed.
            log: whether what is logged appears under `unlearn/forget/`.
            step: number of optimiser steps so far, part of the key of the random streams.
            hold: where the batches were kept.
            vector: the vector of a Hessian-vector product.
            visit: takes each gradient as it arrives; the result is then without.
        """
        parameters = self.parameters()
        micro_batches = [(j, micro) for j, micro in enumerate(window) if side in micro.halves]
        losses: list[Tensor] = []
        divisors: list[Tensor] = []
        kind = "gradient" if vector is None else "hessian_vector_product"
        profiler: Profiler = self.trainer.profiler  # type: ignore[attr-defined]  # set by one of its connectors
        with (
            profiler.profile(f"[unlearn]{side}_{kind}"),
            self.marked_busy(),
            _streams.isolated(self.device),
            no_trace(self.module, self.moved),
            self.normalised(side),
            self._gradients_aside(),
            torch.enable_grad(),
        ):
            for n, (j, micro) in enumerate(micro_batches):
                self.position = j
                self._enter(micro, None if repeats else (self._seed, step, j, self.replica))
                batch = micro.half(side, self.device, hold)
                with self._synchronised(n == len(micro_batches) - 1), self.logged(batch, log):
                    loss, divisor = self._loss(batch, micro, loss_function)
                    if loss is not None and divisor is not None:
                        if visit is None:
                            divisors.append(divisor)
                        else:  # one batch on one process: there is nothing to wait for
                            loss = loss / divisor
                    if loss is not None:
                        losses.append(whole(loss.detach()))
                        with (
                            averaged(self.trainer.strategy.model, side),
                            nullcontext()
                            if visit is None
                            else taken_on_arrival(parameters, self.scale(), losses[-1], visit),
                        ):
                            self.backward(loss, parameters, vector, side)
            gradient = self.gradient(parameters)
            reshard(self.module)
        if self.reuses_gradient_memory:
            gradient = gradient.clone()
        share = len(losses) / self.trainer.accumulate_grad_batches
        return Result(gradient, mean_of(losses), share, mean_of(divisors))

    def _enter(self, micro: MicroBatch, key: tuple[int, ...] | None) -> None:
        assert micro.streams is not None
        assert micro.buffers is not None
        micro.buffers.restore()
        if key is None:
            _streams.replay(micro.streams, self.device)
        else:
            _streams.start(self.device, *key)

    def _loss(
        self, batch: Any, micro: MicroBatch, loss_function: LossFunction | None
    ) -> tuple[Tensor | None, Tensor | None]:
        with self.substituted(loss_function, micro.index):
            return quotient_of(self._training_step(batch, *micro.arguments))

    def normalised(self, side: str) -> AbstractContextManager[None]:
        """Batch normalisation in the mode that the side's passes are to have."""
        evaluates = side == "forget" and self._batch_norm == "eval"
        return batch_norm_evaluating(self.module) if evaluates else nullcontext()

    def substituted(self, loss_function: LossFunction | None, index: int) -> AbstractContextManager[None]:
        """The wrapper of a Trainer strategy looks up `training_step`: that is where another loss must stand."""
        if loss_function is None:
            return nullcontext()

        def step(batch: Any, *_: Any) -> Tensor | Quotient | None:
            return loss_function(self.module, batch, index)

        return patched(self.module, "training_step", step)

    def backward(
        self,
        loss: Tensor,
        parameters: Mapping[str, nn.Parameter],
        vector: Gradient | None,
        side: str,
        **arguments: Any,
    ) -> None:
        """Backward pass of a loss, or of its derivative along `vector`, without the hooks of other callbacks."""
        check_graph(loss, side)
        strategy, precision = self.trainer.strategy, self.trainer.precision_plugin
        scaler = getattr(precision, "scaler", None)
        parts = self.trainer.accumulate_grad_batches
        loss = loss if parts == 1 else loss / parts
        loss = loss if scaler is None else scaler.scale(loss)
        with nullcontext() if vector is None else twice_differentiable():
            if vector is not None:
                loss = directional_derivative(loss, parameters, vector)
            # not `strategy.backward`: that calls the hooks of every other callback a second time
            strategy.pre_backward(loss)
            precision.backward(loss, self.module, None, **arguments)
            strategy.post_backward(loss)

    # ---- contexts ----------------------------------------------------------------------------------------------
    @contextmanager
    def marked_busy(self) -> Iterator[None]:
        self.busy = True
        try:
            yield
        finally:
            self.busy = False

    @contextmanager
    def _gradients_aside(self) -> Iterator[None]:
        found, parameters = self._looked_up
        if found is not self.known:
            parameters = [p for p in self.module.parameters() if p.requires_grad]
        copies = self.reuses_gradient_memory
        saved = [p.grad.clone() if copies and p.grad is not None else p.grad for p in parameters]
        for p in parameters:
            p.grad = None
        try:
            yield
        finally:
            for p, grad in zip(parameters, saved, strict=True):
                p.grad = grad

    def _synchronised(self, last: bool) -> AbstractContextManager[None]:
        strategy = self.trainer.strategy
        if last or not isinstance(strategy, ParallelStrategy):
            return nullcontext()
        return strategy.block_backward_sync()

    def logged(self, batch: Any, log: bool) -> AbstractContextManager[None]:
        return self.router.renamed(batch) if log else self.router.dropped()
