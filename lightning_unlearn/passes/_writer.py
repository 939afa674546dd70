"""The last thing before the optimiser: a direction becomes `p.grad`, unless something was not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from lightning_unlearn._tensors import has_shards, local, summed
from lightning_unlearn.errors import UnlearningError
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.passes._runner import Runner
from lightning_unlearn.passes._side import Side
from lightning_unlearn.passes._sides import SideName


class Writer:
    """Writes directions, and counts the windows in which something was not finite.

    Args:
        runner: knows the parameters and the scale.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._unhealthy: Tensor | None = None

    def write(self, direction: Gradient, sides: Mapping[SideName, Side], *, falls_back: bool) -> None:
        """Put `direction` into `p.grad`, scaled as Lightning expects it.

        With a scaler, a non-finite pass poisons the step, so that the scaler skips it. Without one, the retain
        gradient alone takes its place (`falls_back`), and nothing if that is not finite either.
        """
        parameters, scale = self._runner.parameters(), self._runner.scale()
        # that pass was made, whether the strategy has looked at it or not: an inf in it is one in any case
        own = sides["retain"].gradient() if falls_back else None
        retain = own if scale is None else None
        if retain is not None and retain.changed:
            retain = None  # the strategy has built its direction there: there is nothing to fall back to
        shares = [share for side in sides.values() for share in side.shares_of_squares()]
        shares.append(direction.share_of_square())
        fallback = [] if retain is None else [retain.remembered_share()]
        squares = [*fallback, *shares]
        if has_shards(list(parameters.values())):
            squares = list(summed(torch.stack(squares)).unbind())  # one all-reduce for all of them
        if scale is not None:
            # whatever a strategy made of an inf, the scaler must see it: it then skips the step and lowers the scale
            healthy = torch.isfinite(torch.stack(squares)).all()
            direction = direction.mul_(torch.where(healthy, scale, torch.full_like(scale, float("nan"))))
        elif squares[0].device.type == "cpu":
            direction = self._chosen_on_host(direction, retain, squares)
        else:
            direction = self._chosen_on_device(direction, retain, torch.stack(squares))
        if direction.names != tuple(parameters):
            raise UnlearningError(
                "The direction must be aligned with the trainable parameters, found other names. Build it from the "
                "gradients of the sides."
            )
        for parameter, tensor in zip(parameters.values(), direction.tensors, strict=True):
            if tensor is not None:
                if local(tensor).data_ptr() == local(parameter).data_ptr():
                    tensor = tensor.clone()  # weights as a direction: clipping would scale the model itself
                elif tensor.dtype is not parameter.dtype:
                    tensor = tensor.to(parameter.dtype)
            parameter.grad = tensor

    def _chosen_on_host(
        self, direction: Gradient, retain: Gradient | None, squares: list[Tensor]
    ) -> Gradient:
        """`direction` if it is healthy, else `retain` if there is one and it is finite, else nothing."""
        finite = [math.isfinite(square.item()) for square in squares]
        if all(finite[0 if retain is None else 1 :]):
            return direction
        self._count(torch.ones((), dtype=torch.long))
        # an absent gradient makes the optimiser leave the weights alone altogether
        return retain if retain is not None and finite[0] else Gradient(dict.fromkeys(direction.names))

    def _chosen_on_device(self, direction: Gradient, retain: Gradient | None, squares: Tensor) -> Gradient:
        """The same without waiting for the device; nothing is then a zero."""
        finite = torch.isfinite(squares)
        healthy = finite[0 if retain is None else 1 :].all()
        self._count((~healthy).long())
        nothing = direction.map(lambda _, tensor: torch.zeros_like(tensor))
        safe = nothing if retain is None else retain.where(finite[0], nothing)
        return direction.where(healthy, safe)

    def _count(self, unhealthy: Tensor) -> None:
        self._unhealthy = unhealthy if self._unhealthy is None else self._unhealthy + unhealthy

    def take_unhealthy(self) -> int:
        """Number of non-finite windows since the last call; synchronises with the device."""
        count, self._unhealthy = self._unhealthy, None
        return 0 if count is None else int(count)
