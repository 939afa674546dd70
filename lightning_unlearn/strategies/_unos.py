from __future__ import annotations

from typing_extensions import override

from lightning_unlearn.gradient import Gradient
from lightning_unlearn.passes import Side
from lightning_unlearn.strategies._orthogonal import OrthogonalStrategy
from lightning_unlearn.strategies._retain_surgery import retain_surgery


class UNOS(OrthogonalStrategy):
    """Alternates the steps of :class:`UNO` and of :class:`RetainSurgery`; the first is UNO's.

    `direction = g_r + α u + λ ∇cos²(u, g_r)` at the 1st, 3rd, ... step, and `g_r − (⟨g_r, u⟩ / ⟨u, u⟩) u` at the 2nd,
    4th, ...: two gradients at every step, and second-order passes at every other one. One optimiser takes both kinds.
    A resumed run goes on with the kind that is next.

    Neither kind raises the forget loss by itself as long as `alpha` is 0: read what :class:`UNO` says of it.

    Args:
        weight: of the orthogonality, finite, at least 0; a fraction of the retain loss if `relative`, else in its units.
        relative: whether `weight` is relative to the retain loss.
        alpha: weight of the forget objective in UNO's steps, finite, at least 0; 0 is the published method. The default is that of :class:`UNO`.
        second_order: `"double_backward"` or `"finite_difference"`; see :class:`UNO`.
        objective: the forget side's loss, to be minimised; `None` is `Ascent()`.
        guidance: see :class:`Guidance`; `None` for none.
        hold: see :class:`UnlearningStrategy`.
        seed: see :class:`UnlearningStrategy`.
        batch_norm: see :class:`UnlearningStrategy`.
        state_dir: see :class:`UnlearningStrategy`.

    References:
        Mandal & Gottwald, "Unlearning via Orthogonalization in Generative Models", 2025, arXiv:2506.04712 (UNO-S).

    Example:
        >>> from lightning_unlearn import UNOS
        >>> UNOS(weight=0.05).second_order
        'double_backward'
    """

    @override
    def direction(self, forget: Side, retain: Side | None) -> Gradient:
        assert retain is not None
        if self.progress.step % 2 == 0:
            return self.orthogonal_direction(forget, retain)
        u, g = forget.gradient(), retain.gradient()
        self.cosine_and_inverse_lengths(u, g)
        return retain_surgery(u, g)
