from __future__ import annotations

from lightning_unlearn.combination._weighted import products, ratio, weighted
from lightning_unlearn.gradient import Gradient


def dual_projection(u: Gradient, g_r: Gradient, *, overwrite: bool = False) -> Gradient:
    """The nearest to the mean of both gradients among the directions that conflict with neither.

    `D = argmin ‖D − (u + g_r)/2‖` over `⟨D, u⟩ ≥ 0`, `⟨D, g_r⟩ ≥ 0`. The mean of two gradients violates at most one of the
    conditions, and `D` is the mean without its component along that gradient.

    Args:
        u: gradient of the forget objective.
        g_r: the retain gradient.
        overwrite: whether the result may take the memory of `u`.

    References:
        Lopez-Paz & Ranzato, "Gradient Episodic Memory for Continual Learning", NeurIPS 2017, with the mean in the place of the
        proposed update, as DualProj of TorchJD has it.

    Example:
        >>> import torch
        >>> from lightning_unlearn import Gradient
        >>> from lightning_unlearn.combination import dual_projection
        >>> u, g_r = Gradient([torch.tensor([-1.0, 1.0])]), Gradient([torch.tensor([4.0, 0.0])])
        >>> dual_projection(u, g_r).tensors
        [tensor([1., 1.])]
    """
    uu, ug, gg = products(u, g_r)
    # ⟨mean, u⟩ / ⟨u, u⟩ and ⟨mean, g_r⟩ / ⟨g_r, g_r⟩, where they are negative
    along_u, along_g = (ratio(0.5 * (square + ug), square).clamp_max(0.0) for square in (uu, gg))
    return weighted(u, g_r, 0.5 - along_u, 0.5 - along_g, overwrite)
