from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from lightning_unlearn.objectives._base import Context, Objective


class Ascent(Objective):
    """The user's training loss with its sign turned: minimising it is gradient ascent on the forget set.

    `F(θ) = −L_f(θ)`, so that `u = ∇F = −g_f`. Works for every module, because it only runs its `training_step`.
    It has no lower bound: stop the run by a criterion (`ForgettingMonitor` does) or take :class:`Bounded`.

    References:
        Golatkar et al., "Eternal Sunshine of the Spotless Net", CVPR 2020 (as baseline "negative gradient").

    Example:
        >>> import torch
        >>> from lightning_unlearn import Ascent
        >>> from lightning_unlearn.objectives import Context
        >>> Ascent().loss(torch.nn.Identity(), None, Context(lambda batch: torch.tensor(2.0)))
        tensor(-2.)
    """

    @override
    def loss(self, module: nn.Module, batch: Any, context: Context) -> Tensor | None:
        loss = context.training_loss(batch)
        return None if loss is None else -loss
