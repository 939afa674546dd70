"""Frozen parameters that a `training_step` moves by hand: averaged generators, target networks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lightning_unlearn._tensors import local

_CLOSELY_WATCHED = 3  # windows: an average that starts as a copy does not move in the first


class MovedByHand:
    """Finds out which they are, so that a pass can leave them as they were.

    No copy of all frozen parameters, which may be most of a model. A change in place and a new tensor under the old name
    are seen whenever they happen, a change in place through `.data` if it happens in the first three batches.

    Args:
        module: the user's module.
    """

    def __init__(self, module: nn.Module) -> None:
        self.parameters: list[nn.Parameter] = []
        self._module = module
        self._frozen: list[nn.Parameter] = []
        self._marks: list[Any] = []
        self._watched = 0

    def begin_epoch(self) -> None:
        """Look up what is frozen."""
        self._frozen = [p for p in self._module.parameters() if not p.requires_grad]

    def watch(self) -> None:
        """From here on."""
        if self._frozen:
            self._marks = [self._mark(p) for p in self._frozen]

    def settle(self, *, ends: bool = False) -> None:
        """Up to here: what has moved since :meth:`watch` is among :attr:`parameters` from now on; `ends` ends the watch."""
        if self._marks:
            known = {id(p) for p in self.parameters}
            pairs = zip(self._frozen, self._marks, strict=True)
            self.parameters += [
                p for p, mark in pairs if id(p) not in known and not p.requires_grad and self._mark(p) != mark
            ]
        if ends:
            self._marks = []
            self._watched += 1

    def values(self) -> list[tuple[nn.Parameter, Tensor]]:
        """Copies of what is known to move."""
        return [(p, local(p.detach()).clone()) for p in self.parameters]

    def _mark(self, parameter: nn.Parameter) -> tuple[Any, ...]:
        mine = local(parameter.detach())
        version = 0 if parameter.is_inference() else parameter._version
        if self._watched >= _CLOSELY_WATCHED:
            return version, mine.data_ptr()
        if mine.is_meta or not mine.numel() or mine.is_complex():
            return version, mine.data_ptr()
        return (
            version,
            mine.data_ptr(),
            mine.sum(dtype=torch.float64).item(),
            torch.linalg.vector_norm(mine, dtype=torch.float64).item(),
        )


@torch.no_grad()
def put_back(values: list[tuple[nn.Parameter, Tensor]]) -> None:
    """The values of :meth:`MovedByHand.values`, without a trace for a graph that waits."""
    for parameter, value in values:
        local(parameter.data).copy_(value)
