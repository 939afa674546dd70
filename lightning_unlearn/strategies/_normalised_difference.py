from __future__ import annotations

from typing import Literal

from typing_extensions import override

from lightning_unlearn import _checks
from lightning_unlearn.combination import normalised_difference
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.objectives import Guidance, Objective
from lightning_unlearn.strategies._gradient import GradientStrategy


class NormalisedDifference(GradientStrategy):
    """Descends the retain loss and the forget objective with gradients of equal length.

    `direction = g_r / ‖g_r‖ + α u / ‖u‖`; a term whose gradient is zero is left out. Neither side drowns the other, however
    different the two losses are; known as NGDiff. The step does not shorten near a minimum: the learning rate is a length, and a
    schedule should bring it to 0. With `granularity="tensor"` the two terms of each tensor have one length.

    Differs from the paper in leaving the learning rate to the optimiser: there it is adapted at every step.

    Args:
        alpha: weight `α` of the forget term, finite, at least 0.
        granularity: see :class:`GradientStrategy`.
        objective: the forget side's loss, to be minimised; `None` is `Ascent()`.
        guidance: see :class:`Guidance`; `None` for none.
        hold: see :class:`UnlearningStrategy`.
        seed: see :class:`UnlearningStrategy`.
        batch_norm: see :class:`UnlearningStrategy`.
        state_dir: see :class:`UnlearningStrategy`.

    References:
        Bu et al., "Unlearning as multi-task optimization: A normalized gradient difference approach with an adaptive learning
        rate", NAACL 2025, arXiv:2410.22086 (NGDiff).

    Example:
        >>> import torch
        >>> from lightning_unlearn import Gradient, NormalisedDifference
        >>> u, g_r = Gradient([torch.tensor([0.0, 0.1])]), Gradient([torch.tensor([20.0, 0.0])])
        >>> NormalisedDifference(alpha=0.5).combine(u, g_r).tensors
        [tensor([1.0000, 0.5000])]
    """

    def __init__(
        self,
        alpha: float = 1.0,
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
        return normalised_difference(forget, retain, self.alpha, overwrite=True)
