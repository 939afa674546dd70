from __future__ import annotations

from lightning_unlearn.combination._weighted import weighted
from lightning_unlearn.gradient import Gradient


def pcgrad(u: Gradient, g_r: Gradient, *, overwrite: bool = False) -> Gradient:
    """The sum of both gradients, each without its component along the other if they conflict.

    With `d = ⟨u, g_r⟩`: `D = [u − (d / ‖g_r‖²) g_r] + [g_r − (d / ‖u‖²) u]` if `d < 0`, else `u + g_r`. To first order, a step
    along `−D` raises neither loss. With two gradients the order of projections, random in the paper, makes no difference, and
    the result is twice that of UPGrad (Quinton & Rey 2024).

    Args:
        u: gradient of the forget objective.
        g_r: the retain gradient.
        overwrite: whether the result may take the memory of `u`.

    References:
        Yu et al., "Gradient Surgery for Multi-Task Learning", NeurIPS 2020, algorithm 1.

    Example:
        >>> import torch
        >>> from lightning_unlearn import Gradient
        >>> from lightning_unlearn.combination import pcgrad
        >>> u, g_r = Gradient([torch.tensor([-1.0, 1.0])]), Gradient([torch.tensor([2.0, 0.0])])
        >>> pcgrad(u, g_r).tensors
        [tensor([1., 2.])]
    """
    along_g, along_u = u.coefficient(g_r, when="conflict"), g_r.coefficient(u, when="conflict")
    return weighted(u, g_r, 1.0 - along_u, 1.0 - along_g, overwrite)
