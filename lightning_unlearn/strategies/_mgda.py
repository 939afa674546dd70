from __future__ import annotations

from typing_extensions import override

from lightning_unlearn.combination import mgda
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.strategies._gradient import GradientStrategy


class MGDA(GradientStrategy):
    """Descends both losses along the shortest convex combination of their gradients.

    `direction = a u + (1 − a) g_r` with `a = ⟨g_r, g_r − u⟩ / ‖u − g_r‖²`, put into [0, 1]; see
    :func:`lightning_unlearn.combination.mgda`. To first order, and with plain SGD, both losses fall by at least the square of
    the direction's length.

    **It stalls where unlearning begins**: at trained weights the retain gradient is much the shorter one, and the direction is
    nearly the retain gradient. It is here for comparison; :class:`NormalisedDifference` is what it becomes when both
    gradients are brought to one length first.

    Args:
        granularity: see :class:`GradientStrategy`.
        objective: the forget side's loss, to be minimised; `None` is `Ascent()`.
        guidance: see :class:`Guidance`; `None` for none.
        hold: see :class:`UnlearningStrategy`.
        seed: see :class:`UnlearningStrategy`.
        batch_norm: see :class:`UnlearningStrategy`.
        state_dir: see :class:`UnlearningStrategy`.

    References:
        Désidéri, "Multiple-gradient descent algorithm (MGDA) for multiobjective optimization", C. R. Acad. Sci. 2012;
        Sener & Koltun, "Multi-Task Learning as Multi-Objective Optimization", NeurIPS 2018, arXiv:1810.04650, algorithm 1.

    Example:
        >>> import torch
        >>> from lightning_unlearn import MGDA, Gradient
        >>> u, g_r = Gradient([torch.tensor([0.0, 2.0])]), Gradient([torch.tensor([2.0, 0.0])])
        >>> MGDA().combine(u, g_r).tensors
        [tensor([1., 1.])]
    """

    @override
    def combine(self, forget: Gradient, retain: Gradient) -> Gradient:
        return mgda(forget, retain, overwrite=True)
