"""A rule on the optimiser's update, enforced from its own step hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from lightning_unlearn.gradient import Gradient
from lightning_unlearn.weights import Snapshot


class Constraint:
    """Replaces the move that an optimiser's step has made by what `rule` allows of it.

    It sees the move after momentum, preconditioning and weight decay: what it forbids does not move at all.

    Args:
        optimizers: the optimisers whose steps are watched.
        parameters: gives name to parameter, asked at every step: parameters may be unfrozen during a run.
        rule: update to allowed update.
    """

    def __init__(
        self,
        optimizers: Sequence[Optimizer],
        parameters: Callable[[], Mapping[str, Tensor]],
        rule: Callable[[Gradient], Gradient],
    ) -> None:
        self._parameters = parameters
        self._rule = rule
        self._before: Snapshot | None = None
        self._depth = 0
        self._handles = [o.register_step_pre_hook(self._remember) for o in optimizers]
        self._handles += [o.register_step_post_hook(self._enforce) for o in optimizers]

    def detach(self) -> None:
        """Stop watching."""
        for handle in self._handles:
            handle.remove()
        self._before = None

    def _remember(self, *_: Any) -> None:
        self._depth += 1
        if self._depth == 1:
            self._before = Snapshot(self._parameters())

    def _enforce(self, *_: Any) -> None:
        self._depth -= 1
        if self._depth:  # the step of a base class, called from a step: torch calls the hooks of both
            return
        assert self._before is not None
        with torch.no_grad():
            update = self._before.update()
            self._before.replace_update(update, self._rule(update.clone()))
        self._before = None
