"""What a forward pass leaves behind in a module besides gradients: buffers and the states of its metrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchmetrics import Metric

# private to torchmetrics: not part of `metric_state`, yet changed by every `forward` (tests/passes/test_traces.py)
_COUNTERS = ("_update_count", "_computed", "_forward_cache")


class Buffers:
    """The values of all buffers of `module` (running statistics, codebooks) at one moment."""

    @torch.no_grad()
    def __init__(self, module: nn.Module) -> None:
        self._saved = [
            (owner, name, buffer, buffer.clone())
            for owner in module.modules()
            for name, buffer in owner.named_buffers(recurse=False)
        ]

    @torch.no_grad()
    def restore(self) -> None:
        """Put the values back, and the tensor objects too where the module replaced them."""
        for owner, name, buffer, value in self._saved:
            if getattr(owner, name) is not buffer:
                setattr(owner, name, buffer)
            buffer.copy_(value)


class Metrics:
    """The states of all torchmetrics objects inside `module` at one moment."""

    def __init__(self, module: nn.Module) -> None:
        self._saved: list[tuple[Metric, dict[str, Any]]] = []
        for metric in module.modules():
            if isinstance(metric, Metric):
                state = {name: _copied(value) for name, value in metric.metric_state.items()}
                plain = {  # some metrics count outside of their states
                    name: value.detach().clone() if isinstance(value, Tensor) else value
                    for name, value in vars(metric).items()
                    if value is None or isinstance(value, (bool, int, float, Tensor))
                }
                counters = {name: getattr(metric, name) for name in _COUNTERS}
                self._saved.append((metric, plain | state | counters))

    def restore(self) -> None:
        """Put the states back."""
        for metric, state in self._saved:
            for name, value in state.items():
                setattr(metric, name, value)


def _copied(value: Tensor | list[Tensor]) -> Tensor | list[Tensor]:
    return list(value) if isinstance(value, list) else value.detach().clone()


@contextmanager
def batch_norm_evaluating(module: nn.Module, active: bool) -> Iterator[None]:
    """Batch normalisation uses its running statistics for the length of the block, if `active`."""
    layers = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.training] if active else []
    for layer in layers:
        layer.eval()
    try:
        yield
    finally:
        for layer in layers:
            layer.train()


@contextmanager
def no_trace(module: nn.Module) -> Iterator[None]:
    """Buffers and metrics of `module` are after the block what they were before."""
    buffers, metrics = Buffers(module), Metrics(module)
    try:
        yield
    finally:
        buffers.restore()
        metrics.restore()
