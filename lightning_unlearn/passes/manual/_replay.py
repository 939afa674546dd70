"""The weights that a batch's earlier optimiser steps went through, held once more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from lightning_unlearn.gradient import Gradient


class Step:
    """An optimiser step of a batch, and its parameters' values before.

    Args:
        optimizer: its index.
        parameters: those it moves.
    """

    def __init__(self, optimizer: int, parameters: Mapping[str, nn.Parameter]) -> None:
        self.optimizer = optimizer
        self.before = {p: p.detach().clone() for p in parameters.values()}


class Weights:
    """The weights at the beginning of a batch, and after each of its steps.

    Tensors change hands as `p.data`: a copy in place would count as a change for a graph that waits.

    Args:
        steps: those taken so far.
        moved: the parameters that `by` is for.
        by: a shift that holds at all stages; `None` for none.
    """

    def __init__(self, steps: Sequence[Step], moved: Mapping[str, nn.Parameter], by: Gradient | None) -> None:
        shift = {} if by is None else {moved[n]: t for n, t in by.items() if t is not None and n in moved}
        concerned = {p: p.data for p in shift} | {p: p.data for step in steps for p in step.before}
        self._now = concerned
        self._stages: list[dict[nn.Parameter, Tensor]] = []
        values = dict(concerned)
        for step in [None, *reversed(steps)]:
            values = values | ({} if step is None else step.before)
            self._stages.append({p: t + shift[p] if p in shift else t for p, t in values.items()})

    @contextmanager
    def held(self) -> Iterator[None]:
        """The weights of the beginning; those of now after the block."""
        try:
            self.advance()
            yield
        finally:
            for p, value in self._now.items():
                p.data = value

    def advance(self) -> None:
        """Those after one more step."""
        for p, value in self._stages.pop().items():
            p.data = value
