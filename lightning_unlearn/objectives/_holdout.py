from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from lightning_unlearn import _checks
from lightning_unlearn.objectives._base import Context, Objective


class Holdout(Objective):
    """Raises the forget set's training loss to the level of data never seen, and stops there by itself.

    `F(θ) = max(0, level − L_f(θ))²`, with `L_f` the mean training loss over the accumulation window and all
    processes. Once the forget batch is no better known than `level`, its gradient is exactly zero.

    Args:
        level: finite, non-negative; the training loss to be reached, in the units of the user's `training_step`,
            e.g. the original model's loss on held-out data.

    Example:
        >>> import torch
        >>> from lightning_unlearn import Holdout
        >>> Holdout(level=2.0).outer(torch.tensor(0.5)), Holdout(level=2.0).outer(torch.tensor(3.0))
        (tensor(2.2500), tensor(0.))
    """

    def __init__(self, level: float) -> None:
        self.level = _checks.non_negative("level", level)

    @override
    def loss(self, module: nn.Module, batch: Any, context: Context) -> Tensor | None:
        return context.training_loss(batch)

    @override
    def outer(self, loss: Tensor) -> Tensor:
        return (self.level - loss).relu().square()
