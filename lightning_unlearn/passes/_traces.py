"""What a forward pass leaves behind in a module besides gradients: buffers and the states of its metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchmetrics import Metric

from lightning_unlearn.passes._moved import MovedByHand, put_back

# private to torchmetrics: not part of `metric_state`, yet changed by every `forward` (tests/passes/test_traces.py)
_COUNTERS = ("_update_count", "_computed", "_forward_cache")


class Buffers:
    """The values of all buffers (running statistics, codebooks) at one moment.

    Args:
        modules: of the user's module.
        moved: values of parameters that change as buffers do, see :class:`MovedByHand`.
    """

    @torch.no_grad()
    def __init__(
        self, modules: Iterable[nn.Module], moved: Sequence[tuple[nn.Parameter, Tensor]] = ()
    ) -> None:
        self.moved = list(moved)
        self._saved = [
            (owner, name, buffer, buffer.clone())
            for owner in modules
            if owner._buffers  # most have none; asked twice a step
            for name, buffer in owner.named_buffers(recurse=False)
        ]

    @torch.no_grad()
    def restore(self) -> None:
        """Put the values back, and the tensor objects too where the module replaced them."""
        for owner, name, buffer, value in self._saved:
            if owner._buffers.get(name) is not buffer:
                setattr(owner, name, buffer)
            if buffer.shape != value.shape:
                buffer.resize_(value.shape)
            if not _is_expanded(buffer):  # nobody can have written into one
                buffer.copy_(value)
        put_back(self.moved)

    def copies(self) -> list[tuple[nn.Module, str, Tensor]]:
        """The values as buffers of their own: owner, name, tensor."""
        return [(owner, name, value.clone()) for owner, name, _, value in self._saved]


class Metrics:
    """The states of all torchmetrics objects among `modules` at one moment."""

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._saved: list[tuple[Metric, dict[str, Any]]] = []
        for metric in _metrics_among(modules):
            state = {name: _copied(value) for name, value in metric.metric_state.items()}
            plain = {  # some metrics count outside of their states
                name: value.detach().clone() if isinstance(value, Tensor) else value
                for name, value in vars(metric).items()
                if value is None or isinstance(value, (bool, int, float, Tensor))
            }
            counters = {name: getattr(metric, name) for name in _COUNTERS}
            self._saved.append((metric, plain | state | counters))

    def copy(self) -> Metrics:
        """The same states, in memory of their own."""
        copied = object.__new__(Metrics)
        copied._saved = [
            (metric, {name: _copied(value) for name, value in state.items()}) for metric, state in self._saved
        ]
        return copied

    def restore(self) -> None:
        """Put the states back."""
        for metric, state in self._saved:
            for name, value in state.items():
                setattr(metric, name, value)


def _is_expanded(tensor: Tensor) -> bool:
    return any(stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape, strict=True))


def _metrics_among(modules: Iterable[nn.Module]) -> list[Metric]:
    # not `isinstance`, which is slow for this class: every module is asked twice a step
    return [m for m in modules if Metric in type(m).__mro__]  # type: ignore[misc]


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    return list(value) if isinstance(value, list) else value


@contextmanager
def batch_norm_evaluating(module: nn.Module) -> Iterator[None]:
    """Batch normalisation uses its running statistics for the length of the block."""
    layers = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.training]
    for layer in layers:
        layer.eval()
    try:
        yield
    finally:
        for layer in layers:
            layer.train()


@contextmanager
def no_trace(module: nn.Module, moved: MovedByHand) -> Iterator[None]:
    """Buffers and metrics of `module`, and what it moves by hand, are after the block what they were before."""
    modules = list(module.modules())
    buffers, metrics = Buffers(modules, moved.values()), Metrics(modules)
    try:
        yield
    finally:
        buffers.restore()
        metrics.restore()


class Undo:
    """Takes back, when it is told to, what a forget batch leaves behind in the pass that Lightning makes itself."""

    def __init__(self) -> None:
        self._buffers: Buffers | None = None
        self._metrics: Metrics | None = None
        self._mode = ExitStack()

    def begin(self, module: nn.Module, buffers: Buffers, mode: AbstractContextManager[None]) -> None:
        """From here on; `buffers` are those of now, `mode` holds until the end."""
        self._buffers, self._metrics = buffers, Metrics(module.modules())
        self._mode.enter_context(mode)

    def end(self) -> None:
        """Up to here; nothing if it has not begun."""
        self._mode.close()
        if self._metrics is not None and self._buffers is not None:
            self._metrics.restore()
            self._buffers.restore()
        self._metrics = self._buffers = None
