from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor

from lightning_unlearn import _checks
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.objectives import Guidance, Objective
from lightning_unlearn.passes import Side
from lightning_unlearn.strategies._base import UnlearningStrategy
from lightning_unlearn.strategies._diagnostics import angles, count_conflict


class OrthogonalStrategy(UnlearningStrategy):
    """A strategy with steps along the gradient of `L_r + α F + λ cos²(u, g_r)`; see :class:`UNO` for the arguments."""

    def __init__(
        self,
        weight: float = 0.1,
        relative: bool = True,
        alpha: float = 0.03,
        second_order: Literal["double_backward", "finite_difference"] = "double_backward",
        *,
        objective: Objective | None = None,
        guidance: Guidance | None = None,
        hold: Literal["device", "cpu"] = "device",
        seed: int = 0,
        batch_norm: Literal["train", "eval"] = "train",
        state_dir: str | None = None,
    ) -> None:
        super().__init__(
            objective=objective,
            guidance=guidance,
            hold=hold,
            seed=seed,
            batch_norm=batch_norm,
            state_dir=state_dir,
        )
        self.weight = _checks.non_negative("weight", weight)
        self.relative = _checks.boolean("relative", relative)
        self.alpha = _checks.non_negative("alpha", alpha)
        chosen = _checks.one_of("second_order", second_order, ("double_backward", "finite_difference"))
        self.second_order = cast(Literal["double_backward", "finite_difference"], chosen)

    def orthogonal_direction(self, forget: Side, retain: Side) -> Gradient:
        """`g_r + α u + λ ∇cos²(u, g_r)`, in the memory of `u`, of one more gradient, and of one second-order graph."""
        u, g = forget.gradient(), retain.gradient()
        cosine, per_u, per_g = self.cosine_and_inverse_lengths(u, g)
        if self.weight == 0.0:
            return u.mul_(self.alpha).add_(g)
        twice = 2.0 * self.weight * retain.share * cosine
        if self.relative:
            twice = twice * retain.loss.abs()
        # the vectors have length 1 or less, whatever the gradients: λ ∇cos² = twice/‖u‖ · H_f a + twice/‖g_r‖ · H_r b
        a = (g * per_g).add_(u, -cosine * per_u)
        direction = forget.hessian_vector_product(a, method=self.second_order).mul_(twice * per_u)
        del a
        direction.add_(u, self.alpha).add_(g)
        b = u.mul_(per_u).add_(g, -cosine * per_g)
        return direction.add_(retain.hessian_vector_product(b, method=self.second_order), twice * per_g)

    def cosine_and_inverse_lengths(self, u: Gradient, g: Gradient) -> tuple[Tensor, Tensor, Tensor]:
        """`cos(u, g)`, `1/‖u‖` and `1/‖g‖`; all three are 0 where a gradient is. The angle is reported."""
        inner, *squares = Gradient.dots((u, g), (u, u), (g, g))
        tiny = torch.finfo(inner.dtype).tiny
        present = (squares[0] >= tiny) & (squares[1] >= tiny)
        per_u, per_g = (torch.where(present, square.rsqrt(), torch.zeros_like(square)) for square in squares)
        cosine = (inner * per_u * per_g).clamp(-1.0, 1.0)
        count_conflict(self.state, inner < 0)
        if self.reports:
            self.diagnostics = angles(self.state, cosine) | {"squared_cosine": cosine**2}
        return cosine, per_u, per_g
