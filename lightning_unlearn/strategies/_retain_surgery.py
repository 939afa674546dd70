from __future__ import annotations

from torch import Tensor
from typing_extensions import override

from lightning_unlearn.gradient import Gradient
from lightning_unlearn.strategies._gradient import GradientStrategy


class RetainSurgery(GradientStrategy):
    """Trains on the retain set along directions that leave the forget objective unchanged to first order.

    `direction = g_r − (⟨g_r, u⟩ / ⟨u, u⟩) u`. There is no force that raises the forget loss: it only keeps retain
    training from lowering it. For what this is worth, compare with :class:`FineTune` at equal steps.

    This is what the tables of the UNO paper call "gradient surgery"; it is not the method of Bae et al. (see
    :class:`GradientSurgery`). The sign of u does not matter.

    Args:
        granularity: see :class:`GradientStrategy`.
        objective: the forget side's loss; `None` is `Ascent()`.
        guidance: see :class:`Guidance`; `None` for none.
        hold: see :class:`UnlearningStrategy`.
        seed: see :class:`UnlearningStrategy`.
        batch_norm: see :class:`UnlearningStrategy`.
        state_dir: see :class:`UnlearningStrategy`.

    References:
        Mandal & Gottwald, "Unlearning via Orthogonalization in Generative Models", 2025, arXiv:2506.04712
        (baseline S).

    Example:
        >>> import torch
        >>> from lightning_unlearn import Gradient, RetainSurgery
        >>> u, g_r = Gradient([torch.tensor([0.0, 3.0])]), Gradient([torch.tensor([1.0, 1.0])])
        >>> RetainSurgery().combine(u, g_r).tensors
        [tensor([1., 0.])]
    """

    @override
    def combine(self, forget: Gradient, retain: Gradient) -> Gradient:
        return retain_surgery(forget, retain)

    @override
    def removed_fraction(self, cosine: Tensor) -> Tensor:
        return cosine**2


def retain_surgery(forget: Gradient, retain: Gradient) -> Gradient:
    """The retain gradient without its component along the forget gradient, in the memory of that one."""
    return forget.mul_(-retain.coefficient(forget)).add_(retain)
