from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import override

from lightning_unlearn.combination import pcgrad
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.strategies._gradient import GradientStrategy


class PCGrad(GradientStrategy):
    """Descends both losses, each gradient without its component along the other if they conflict.

    `direction = P_g u + P_u g_r` if `⟨u, g_r⟩ < 0`, else `u + g_r`, where `P_g u = u − (⟨u, g_r⟩ / ‖g_r‖²) g_r` and likewise
    `P_u g_r`; see :func:`lightning_unlearn.combination.pcgrad`. To first order, and with plain SGD, neither loss rises.
    :class:`GradientSurgery` projects the forget gradient alone, and has weights.

    Args:
        granularity: see :class:`GradientStrategy`.
        objective: the forget side's loss, to be minimised; `None` is `Ascent()`.
        guidance: see :class:`Guidance`; `None` for none.
        hold: see :class:`UnlearningStrategy`.
        seed: see :class:`UnlearningStrategy`.
        batch_norm: see :class:`UnlearningStrategy`.
        state_dir: see :class:`UnlearningStrategy`.

    References:
        Yu et al., "Gradient Surgery for Multi-Task Learning", NeurIPS 2020, arXiv:2001.06782, algorithm 1.

    Example:
        >>> import torch
        >>> from lightning_unlearn import Gradient, PCGrad
        >>> u, g_r = Gradient([torch.tensor([-1.0, 1.0])]), Gradient([torch.tensor([2.0, 0.0])])
        >>> PCGrad().combine(u, g_r).tensors
        [tensor([1., 2.])]
    """

    @override
    def combine(self, forget: Gradient, retain: Gradient) -> Gradient:
        return pcgrad(forget, retain, overwrite=True)

    @override
    def removed_fraction(self, cosine: Tensor) -> Tensor:
        return torch.where(cosine < 0, cosine**2, torch.zeros_like(cosine))
