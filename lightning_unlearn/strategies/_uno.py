from __future__ import annotations

from typing_extensions import override

from lightning_unlearn.gradient import Gradient
from lightning_unlearn.passes import Side
from lightning_unlearn.strategies._orthogonal import OrthogonalStrategy


class UNO(OrthogonalStrategy):
    """Trains on the retain set while it makes the gradients of the two sides orthogonal.

    Descends `L_r + α F + λ c²` with `c = cos(u, g_r)`, `u = ∇F` (by default `F = −L_f`) and `g_r = ∇L_r`, over all
    trainable parameters; `λ = weight · |L_r|`, held constant in the derivative, or `λ = weight`. In closed form

        `direction = g_r + α u + λ (H_f a + H_r b)`
        `a = (2c / ‖u‖) (g_r/‖g_r‖ − c u/‖u‖)`,    `b = (2c / ‖g_r‖) (u/‖u‖ − c g_r/‖g_r‖)`

    with the Hessians `H_f` of `F` and `H_r` of `L_r`: two gradients and two Hessian-vector products, one after the other.
    `L_r` and the gradients are those of the whole accumulation window on all processes. Where a gradient is zero, the
    last term is.

    **What to expect.** With `α = 0`, as published, nothing in this loss raises the forget loss: `c²` does not see the sign
    of `u`, and orthogonal gradients only mean that retain training no longer changes the forget loss to first order. In
    the authors' own runs with the corrected code, UNO forgets as fast as plain retain fine-tuning; the numbers of their
    tables for MNIST and CelebA come from runs in which two weights were swapped, with a classifier's term at 1000 (see
    :class:`Guidance`) and no orthogonality. Both are reproduced in docs/results.md. To forget, `α` has to be
    positive, as it is by default, best with a bounded objective; in a generator take `GradientDifference(alpha=1.0)` with
    :class:`Redirect`, its weights of the order of the loss, which does it in a few steps. Compare with :class:`FineTune` at equal steps.

    Reports `unlearn/grad_cosine`, `unlearn/conflict_rate` and `unlearn/squared_cosine`, all before the step.

    Differs from the paper, which has no `α`, and from the authors' code, which keeps one graph of second order for both
    sides and takes λ = 1000 for a loss summed over 128 images; that of their diffusion transformer adds 1e-12 to the
    denominator of `c²`.

    Args:
        weight: of the orthogonality, finite, at least 0; a fraction of the retain loss if `relative`, else in its units. 0
            costs no second-order pass.
        relative: whether `weight` is relative to the retain loss.
        alpha: weight `α` of the forget objective, finite, at least 0; 0 is the published method. The default was searched with
            `Ascent` on a class of scikit-learn's digits (docs/tune.md).
        second_order: how Hessians are multiplied: `"double_backward"` is exact. `"finite_difference"` takes central
            differences of gradients, two passes a product; for fused attention, compiled and sharded modules, which have
            no second derivative. Not in half precision, and off by tens of per cent for ReLU networks in float32.
        objective: the forget side's loss, to be minimised; `None` is `Ascent()`.
        guidance: see :class:`Guidance`; `None` for none.
        hold: see :class:`UnlearningStrategy`.
        seed: see :class:`UnlearningStrategy`.
        batch_norm: see :class:`UnlearningStrategy`.
        state_dir: see :class:`UnlearningStrategy`.

    References:
        Mandal & Gottwald, "Unlearning via Orthogonalization in Generative Models", 2025, arXiv:2506.04712 (UNO).

    Example:
        >>> from lightning_unlearn import UNO, Bounded
        >>> UNO(weight=0.05, alpha=0.1, objective=Bounded()).alpha
        0.1
    """

    @override
    def direction(self, forget: Side, retain: Side | None) -> Gradient:
        assert retain is not None
        return self.orthogonal_direction(forget, retain)
