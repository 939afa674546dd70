from __future__ import annotations

from typing_extensions import Unpack, override

from lightning_unlearn import _checks
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.strategies._gradient import GradientStrategy
from lightning_unlearn.strategies._options import StrategyOptions


class GradientDifference(GradientStrategy):
    """Descends the retain loss and the forget objective together; known as NegGrad+.

    `direction = g_r + α u`, where `g_r = ∇L_r`, `u = ∇F`, by default `F = −L_f`.

    Differs from the authors' code, which weighs the two by `β` and `1 − β` (β = 0.95 or 0.9999): here the retain
    weight is 1 and `α = (1 − β)/β`, with the learning rate scaled by `β`.

    Args:
        alpha: weight of the forget objective, finite, at least 0; 0 is :class:`FineTune`.
        **options: `objective`, `hold`, `seed`, `batch_norm`: see :class:`StrategyOptions`.

    References:
        Kurmanji et al., "Towards Unbounded Machine Unlearning", NeurIPS 2023 (baseline NegGrad+).

    Example:
        >>> import torch
        >>> from lightning_unlearn import Gradient, GradientDifference
        >>> u, g_r = Gradient([torch.tensor([2.0])]), Gradient([torch.tensor([1.0])])
        >>> GradientDifference(alpha=0.5).combine(u, g_r).tensors
        [tensor([2.])]
    """

    def __init__(
        self,
        alpha: float = 0.1,
        **options: Unpack[StrategyOptions],
    ) -> None:
        super().__init__(**options)
        self.alpha = _checks.non_negative("alpha", alpha)

    @override
    def combine(self, forget: Gradient, retain: Gradient) -> Gradient:
        return forget.mul_(self.alpha).add_(retain)
