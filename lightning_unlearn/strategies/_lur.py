from __future__ import annotations

from typing import Literal, cast

import torch
from typing_extensions import override

from lightning_unlearn import _checks
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.objectives import Bounded, Guidance, Objective
from lightning_unlearn.passes import Side
from lightning_unlearn.strategies._base import UnlearningStrategy


class LUR(UnlearningStrategy):
    """Descends the retain loss, and the forget objective as it will be after a retain step: learning to unlearn while retaining.

    `direction = w_r · g_r + w_f · (I − α H_r) ∇F(θ − α g_r)`, the exact gradient of
    `J(θ) = w_r · L_r(θ) + w_f · F(θ − α ∇L_r(θ))`, where `g_r = ∇L_r(θ)` and `H_r = ∇²L_r(θ)` are of the window's retain
    batches, the same in both terms. To first order in `α`, `F(θ − α g_r) = F(θ) − α ⟨∇F, g_r⟩`: the objective rewards an
    agreement of the two gradients, and conflicts are trained away where :class:`GradientSurgery` projects them away.

    It costs the retain pass, one forget pass at `θ − α g_r`, and one Hessian-vector product.

    `α` is a length in units of `1/λ`, `λ` being the largest eigenvalue of `H_r`: with `α λ > 1` the factor `I − α H_r` turns
    the forget step round along the steepest directions. `unlearn/alpha_curvature`, reported at the steps that loggers write,
    is `α ⟨v, H_r v⟩ / ⟨v, v⟩` with `v = ∇F(θ − α g_r)`, which is at most `α λ`: keep it well below 1. Full-batch gradient
    descent at a rate `η` settles near `λ = 2/η` (Cohen et al., ICLR 2021), so that after it an `α` below `η/2` is safe.
    `unlearn/grad_cosine` is the cosine of `v` and `g_r`.

    Differs from what is known of the authors' method: their code is not published; the formula is that of a
    re-implementation (see References), whose objective is minus the cross-entropy. That is unbounded, so the default here is
    :class:`Bounded`. A trimming of weights beforehand, which that re-implementation has, is left out.

    Args:
        alpha: length `α` of the retain step that is looked ahead, finite, at least 0; 0 is :class:`GradientDifference`.
        retain_weight: weight `w_r` of the retain loss, finite, at least 0.
        forget_weight: weight `w_f` of the forget objective, finite, at least 0.
        first_order: leaves `H_r` out, `w_r · g_r + w_f · ∇F(θ − α g_r)`: two passes and no second derivative, but another
            method: of the two terms of order `α` in the gradient of `−α ⟨∇F, g_r⟩` it keeps one.
        second_order: how `H_r` is applied: `"double_backward"` is exact; `"finite_difference"` takes two ordinary passes
            instead, and works where no second derivative exists (fused attention, compiled or sharded modules). It is refused in
            half precision, and off by tens of per cent for piecewise linear networks (ReLU) in float32.
        objective: the forget side's loss, to be minimised; `None` is `Bounded()`, which needs logits and labels: for a model
            without them, such as a generator, pass another, such as `Ascent()` with a small `forget_weight`.
        guidance: see :class:`Guidance`; `None` for none.
        hold: see :class:`UnlearningStrategy`.
        seed: see :class:`UnlearningStrategy`.
        batch_norm: see :class:`UnlearningStrategy`.
        state_dir: see :class:`UnlearningStrategy`.

    References:
        Patel & Qiu, "Learning to Unlearn while Retaining: Combating Gradient Conflicts in Machine Unlearning", ICCV 2025,
        arXiv:2503.06339; the formula as in the benchmark of ReGUn (github.com/tiensinh2/ReGUn), with α = 0.01.

    Example:
        >>> from lightning_unlearn import LUR
        >>> LUR().objective
        Bounded(offset=1e-06, predict=None)
        >>> LUR(alpha=0.001, second_order="finite_difference").first_order
        False
    """

    def __init__(
        self,
        alpha: float = 0.01,
        retain_weight: float = 1.0,
        forget_weight: float = 0.1,
        first_order: bool = False,
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
            objective=Bounded() if objective is None else objective,
            guidance=guidance,
            hold=hold,
            seed=seed,
            batch_norm=batch_norm,
            state_dir=state_dir,
        )
        self.alpha = _checks.non_negative("alpha", alpha)
        self.retain_weight = _checks.non_negative("retain_weight", retain_weight)
        self.forget_weight = _checks.non_negative("forget_weight", forget_weight)
        self.first_order = _checks.boolean("first_order", first_order)
        method = _checks.one_of("second_order", second_order, ("double_backward", "finite_difference"))
        self.second_order = cast(Literal["double_backward", "finite_difference"], method)

    @override
    def direction(self, forget: Side, retain: Side | None) -> Gradient:
        assert retain is not None
        g = retain.gradient()
        v = forget.gradient(at=g * -self.alpha) if self.alpha else forget.gradient()
        if self.reports:
            self.diagnostics = {"grad_cosine": v.cosine(g)}
        if self.alpha and not self.first_order:
            product = retain.hessian_vector_product(v, method=self.second_order)
            if self.reports:
                curved, square = Gradient.dots((v, product), (v, v))
                share = torch.where(square > 0, self.alpha * curved / square, 0.0)
                self.diagnostics["alpha_curvature"] = share
            v.add_(product, -self.alpha)
        return v.mul_(self.forget_weight).add_(g, self.retain_weight)
