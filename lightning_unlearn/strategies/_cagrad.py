from __future__ import annotations

from typing import Literal

from typing_extensions import override

from lightning_unlearn import _checks
from lightning_unlearn.combination import cagrad
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.objectives import Guidance, Objective
from lightning_unlearn.strategies._gradient import GradientStrategy


class CAGrad(GradientStrategy):
    """Descends the mean of both losses, turned towards the one that is served worse.

    `direction = argmax min(⟨D, u⟩, ⟨D, g_r⟩)` over `‖D − g_0‖ ≤ c ‖g_0‖` with `g_0 = (u + g_r)/2`, in closed form; see
    :func:`lightning_unlearn.combination.cagrad`. Where the gradients conflict strongly one loss may still rise.

    Differs from the authors' code, which looks for the direction numerically and divides it by `1 + c²`.

    Args:
        c: how far the direction may be from the mean, in lengths of the mean; at least 0 and below 1; 0 is half of
            :class:`GradientDifference` with `alpha=1`.
        granularity: see :class:`GradientStrategy`.
        objective: the forget side's loss, to be minimised; `None` is `Ascent()`.
        guidance: see :class:`Guidance`; `None` for none.
        hold: see :class:`UnlearningStrategy`.
        seed: see :class:`UnlearningStrategy`.
        batch_norm: see :class:`UnlearningStrategy`.
        state_dir: see :class:`UnlearningStrategy`.

    References:
        Liu et al., "Conflict-Averse Gradient Descent for Multi-task Learning", NeurIPS 2021, arXiv:2110.14048, algorithm 1.

    Example:
        >>> import torch
        >>> from lightning_unlearn import CAGrad, Gradient
        >>> u, g_r = Gradient([torch.tensor([0.0, 2.0])]), Gradient([torch.tensor([2.0, 0.0])])
        >>> CAGrad(c=0.5).combine(u, g_r).tensors
        [tensor([1.5000, 1.5000])]
    """

    def __init__(
        self,
        c: float = 0.4,
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
        self.c = _checks.below_one("c", c)

    @override
    def combine(self, forget: Gradient, retain: Gradient) -> Gradient:
        return cagrad(forget, retain, self.c, overwrite=True)
