from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor
from typing_extensions import override

from lightning_unlearn import _checks
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.objectives import Guidance, Objective
from lightning_unlearn.strategies._gradient import GradientStrategy


class GradientSurgery(GradientStrategy):
    """Descends the forget objective without its component along the retain gradient, and the retain loss.

    `direction = α · P u + w · g_r` with `P u = u − (⟨u, g_r⟩ / ⟨g_r, g_r⟩) g_r`, where `u = ∇F` (by default
    `F = −L_f`), `g_r = ∇L_r`, and the inner product runs over all trainable parameters. With `when="conflict"` only
    if `⟨u, g_r⟩ < 0`, else `P u = u`: a component that helps the retain loss is kept.

    To first order, and with plain SGD, the forget part of the step does not raise the retain loss. Momentum and
    adaptive optimisers apply another metric, in which this no longer holds.

    Differs from the paper, whose form is `alpha=1, retain_weight=0, when="always"`; it takes no step that
    repairs the retain side. The projection removes exactly the share `cos²` of the squared norm,
    which between mini-batches is small: watch `unlearn/removed_fraction`, and use a large retain batch.

    Args:
        alpha: weight `α` of the forget part, finite, at least 0; 0 leaves `w · g_r`. The default was searched with `Ascent` on
            a class of scikit-learn's digits (docs/tune.md), where 1, the paper's, ruins the model.
        retain_weight: weight `w` of the retain part, finite, at least 0.
        when: `"conflict"` or `"always"`.
        granularity: see :class:`GradientStrategy`.
        objective: the forget side's loss, to be minimised; `None` is `Ascent()`.
        guidance: see :class:`Guidance`; `None` for none.
        hold: see :class:`UnlearningStrategy`.
        seed: see :class:`UnlearningStrategy`.
        batch_norm: see :class:`UnlearningStrategy`.
        state_dir: see :class:`UnlearningStrategy`.

    References:
        Bae et al., "Gradient Surgery for One-shot Unlearning on Generative Model", 2023, arXiv:2307.04550.
        The conditional form is that of Yu et al., "Gradient Surgery for Multi-Task Learning", NeurIPS 2020.

    Example:
        >>> import torch
        >>> from lightning_unlearn import Gradient, GradientSurgery
        >>> u, g_r = Gradient([torch.tensor([-1.0, 1.0])]), Gradient([torch.tensor([2.0, 0.0])])
        >>> GradientSurgery(alpha=1.0).combine(u.clone(), g_r).tensors
        [tensor([2., 1.])]
        >>> GradientSurgery(alpha=1.0, retain_weight=0.0, when="always").combine(u.clone(), g_r).tensors
        [tensor([0., 1.])]
    """

    def __init__(
        self,
        alpha: float = 0.03,
        retain_weight: float = 1.0,
        when: Literal["conflict", "always"] = "conflict",
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
        self.retain_weight = _checks.non_negative("retain_weight", retain_weight)
        self.when = cast(Literal["conflict", "always"], _checks.one_of("when", when, ("conflict", "always")))

    @override
    def combine(self, forget: Gradient, retain: Gradient) -> Gradient:
        # α (u − c g_r) + w g_r, gathered so that memory is gone through once
        coefficient = forget.coefficient(retain, when=self.when)
        return forget.mul_(self.alpha).add_(retain, self.retain_weight - self.alpha * coefficient)

    @override
    def removed_fraction(self, cosine: Tensor) -> Tensor:
        return (
            cosine**2
            if self.when == "always"
            else torch.where(cosine < 0, cosine**2, torch.zeros_like(cosine))
        )
