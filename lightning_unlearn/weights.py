"""Weights that are moved for a moment, and moves of weights that are undone entry by entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lightning_unlearn._tensors import local, placed_like
from lightning_unlearn.gradient import Gradient


class Snapshot:
    """A copy of weights, to go back to or to measure a move from.

    Args:
        parameters: name to parameter (or any tensor that is to be remembered).

    Example:
        >>> import torch
        >>> from lightning_unlearn.weights import Snapshot
        >>> weight = torch.ones(2)
        >>> before = Snapshot({"weight": weight})
        >>> weight += 1.0
        >>> before.update()["weight"]
        tensor([1., 1.])
        >>> before.restore()
        >>> weight
        tensor([1., 1.])
    """

    @torch.no_grad()
    def __init__(self, parameters: Mapping[str, Tensor]) -> None:
        self._parameters = dict(parameters)
        self._saved = {name: p.detach().clone() for name, p in parameters.items()}

    @torch.no_grad()
    def restore(self) -> None:
        """Copy the saved values back; exact, unlike adding the inverse of a move."""
        for name, parameter in self._parameters.items():
            parameter.copy_(self._saved[name])

    @torch.no_grad()
    def update(self) -> Gradient:
        """The move since the snapshot, `weights now - weights then`."""
        return Gradient({name: p.detach() - self._saved[name] for name, p in self._parameters.items()})

    @torch.no_grad()
    def replace_update(self, update: Gradient, allowed: Gradient) -> None:
        """Make `allowed` the move since the snapshot, where it differs from `update`, the move that was made.

        Entries that agree are left untouched, so that a constraint that changes nothing is exact to the last bit;
        entries that are not allowed to move have their old value, bit for bit.
        """
        for name, parameter in self._parameters.items():
            made, may = update[name], allowed[name]
            if made is None:
                continue
            may = torch.zeros_like(made) if may is None else may
            now, then = local(parameter), local(self._saved[name])
            now.copy_(torch.where(local(made) == local(may), now, then + local(may)))


def reshard(module: nn.Module) -> None:
    """Make the parameters of `module` the shards that the optimiser moves (FSDP2).

    A forward pass without a backward leaves the gathered weights in their place: what is written there is lost.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return
    for layer in module.modules():
        if hasattr(
            type(layer), "set_reshard_after_backward"
        ):  # `FSDPModule`, which has moved between torch versions
            layer.reshard()  # type: ignore[operator]


@contextmanager
def shifted(parameters: Mapping[str, Tensor], by: Gradient) -> Iterator[None]:
    """Hold the weights at `weights + by` for the duration of the block; they come back bit for bit.

    Args:
        parameters: name to parameter; a parameter that `by` does not name, or names as absent, is not moved.
        by: the shift.

    Example:
        >>> import torch
        >>> from lightning_unlearn import Gradient
        >>> from lightning_unlearn.weights import shifted
        >>> weight = torch.zeros(2)
        >>> with shifted({"weight": weight}, Gradient({"weight": torch.ones(2)})):
        ...     weight.tolist()
        [1.0, 1.0]
        >>> weight.tolist()
        [0.0, 0.0]
    """
    moves = {name: tensor for name, tensor in by.items() if tensor is not None and name in parameters}
    snapshot = Snapshot({name: parameters[name] for name in moves})
    try:
        with torch.no_grad():
            for name, move in moves.items():
                local(parameters[name]).add_(local(placed_like(move, parameters[name])))
        yield
    finally:
        snapshot.restore()
