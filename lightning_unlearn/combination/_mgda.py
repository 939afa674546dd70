from __future__ import annotations

from lightning_unlearn.combination._weighted import products, ratio, weighted
from lightning_unlearn.gradient import Gradient


def mgda(u: Gradient, g_r: Gradient, *, overwrite: bool = False) -> Gradient:
    """The shortest convex combination of both gradients: descends both losses, by as much as the worse of the two.

    `D = a u + (1 − a) g_r` with `a = ⟨g_r, g_r − u⟩ / ‖u − g_r‖²`, put into [0, 1]. Then `⟨D, u⟩ ≥ ‖D‖²` and `⟨D, g_r⟩ ≥ ‖D‖²`.

    **It stalls where unlearning begins.** At trained weights `‖g_r‖ ≪ ‖u‖` and the two are nearly orthogonal, so that
    `a ≈ ‖g_r‖² / ‖u‖²` is nearly 0 and `D ≈ g_r`: nothing is forgotten. Where one of the gradients is zero, so is `D`. With
    both brought to length 1 first, it is half of :func:`normalised_difference`.

    Args:
        u: gradient of the forget objective.
        g_r: the retain gradient.
        overwrite: whether the result may take the memory of `u`.

    References:
        Désidéri, "Multiple-gradient descent algorithm (MGDA) for multiobjective optimization", C. R. Acad. Sci. 2012; for two
        gradients in Sener & Koltun, "Multi-Task Learning as Multi-Objective Optimization", NeurIPS 2018, algorithm 1.

    Example:
        >>> import torch
        >>> from lightning_unlearn import Gradient
        >>> from lightning_unlearn.combination import mgda
        >>> u, g_r = Gradient([torch.tensor([0.0, 2.0])]), Gradient([torch.tensor([2.0, 0.0])])
        >>> mgda(u, g_r).tensors
        [tensor([1., 1.])]
    """
    uu, ug, gg = products(u, g_r)
    a = ratio(gg - ug, uu - 2.0 * ug + gg, otherwise=0.5).clamp(0.0, 1.0)
    return weighted(u, g_r, a, 1.0 - a, overwrite)
