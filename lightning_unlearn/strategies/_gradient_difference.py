from __future__ import annotations

from typing import Literal

from typing_extensions import override

from lightning_unlearn import _checks
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.objectives import Guidance, Objective
from lightning_unlearn.strategies._gradient import GradientStrategy


class GradientDifference(GradientStrategy):
    """Descends the retain loss and the forget objective together; known as NegGrad+.

    `direction = g_r + α u`, where `g_r = ∇L_r`, `u = ∇F`, by default `F = −L_f`.

    Differs from the authors' code, which weighs the two by `β` and `1 − β` (β = 0.95 or 0.9999): here the retain
    weight is 1 and `α = (1 − β)/β`, with the learning rate scaled by `β`.

    Args:
        alpha: weight of the forget objective, finite, at least 0; 0 is :class:`FineTune`. The default was searched (docs/tune.md).
        granularity: see :class:`GradientStrategy`.
        objective: the forget side's loss, to be minimised; `None` is `Ascent()`.
        guidance: see :class:`Guidance`; `None` for none.
        hold: see :class:`UnlearningStrategy`.
        seed: see :class:`UnlearningStrategy`.
        batch_norm: see :class:`UnlearningStrategy`.
        state_dir: see :class:`UnlearningStrategy`.

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
        alpha: float = 0.03,
        *,
        granularity: Literal["model", "tensor"] = "model",
        objective: Objective | None = None,
        guidance: Guidance | None = None,
        hold: Literal["device", "cpu"] = "device",
        seed: int = 0,
        batch_norm: Literal["train", "eval"] = "train",
        state_dir: str | None = None,
    ) -> None:
        super().__init__(
            granularity=granularity,
            objective=objective,
            guidance=guidance,
            hold=hold,
            seed=seed,
            batch_norm=batch_norm,
            state_dir=state_dir,
        )
        self.alpha = _checks.non_negative("alpha", alpha)

    @override
    def combine(self, forget: Gradient, retain: Gradient) -> Gradient:
        return forget.mul_(self.alpha).add_(retain)
