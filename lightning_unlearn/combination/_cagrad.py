from __future__ import annotations

from lightning_unlearn import _checks
from lightning_unlearn.combination._weighted import products, ratio, weighted
from lightning_unlearn.gradient import Gradient


def cagrad(u: Gradient, g_r: Gradient, c: float = 0.4, *, overwrite: bool = False) -> Gradient:
    """The direction near the mean of both gradients that serves the worse served loss best.

    `D = argmax min(⟨D, u⟩, ⟨D, g_r⟩)` over `‖D − g_0‖ ≤ c ‖g_0‖`, with `g_0 = (u + g_r)/2`. In dual form
    `D = g_0 + c ‖g_0‖ g_w / ‖g_w‖`, where `g_w = w u + (1 − w) g_r` and `w` in [0, 1] minimises
    `⟨g_w, g_0⟩ + c ‖g_0‖ ‖g_w‖`: a convex function of one number, whose minimum is taken in closed form. Where `g_w = 0`
    (one of the gradients is zero), `D = g_0`.

    Differs from the authors' code, which looks for `w` numerically and divides the result by `1 + c²`.

    Args:
        u: gradient of the forget objective.
        g_r: the retain gradient.
        c: radius, in [0, 1); 0 is the mean of the two gradients. From 1 on `D` is undefined where the gradients oppose each other.
        overwrite: whether the result may take the memory of `u`.

    References:
        Liu et al., "Conflict-Averse Gradient Descent for Multi-task Learning", NeurIPS 2021, equations 3 and 4.

    Example:
        >>> import torch
        >>> from lightning_unlearn import Gradient
        >>> from lightning_unlearn.combination import cagrad
        >>> u, g_r = Gradient([torch.tensor([0.0, 2.0])]), Gradient([torch.tensor([2.0, 0.0])])
        >>> cagrad(u, g_r, c=0.5).tensors
        [tensor([1.5000, 1.5000])]
    """
    c = _checks.below_one("c", c)
    uu, ug, gg = products(u, g_r)
    # all in units of the sum of squares: products of squares would leave the range of float64
    total = uu + gg
    uu, ug, gg = (ratio(product, total) for product in (uu, ug, gg))
    apart = (uu - 2.0 * ug + gg).clamp_min(0.0)  # ‖u − g_r‖²
    length = c * (0.25 * (uu + 2.0 * ug + gg)).clamp_min(0.0).sqrt()  # c ‖g_0‖
    # ⟨g_w, g_0⟩ + length ‖g_w‖ as a function of x = w − middle is slope · x + length · √(apart x² + height²) + constant
    middle = ratio(gg - ug, apart, otherwise=0.5)
    height = ratio(uu * gg - ug**2, apart).clamp_min(0.0).sqrt()
    slope = 0.5 * (uu - gg)
    room = apart * length**2 - slope**2
    inside = middle - slope * ratio(height, (apart * room).clamp_min(0.0).sqrt())
    at_an_end = (slope <= 0).to(slope.dtype)  # too steep a line for the length to turn
    w = inside.where(room > 0, at_an_end).clamp(0.0, 1.0)
    w = w + 0.0 * total  # NaN, where a product is
    size = (w**2 * uu + 2.0 * w * (1.0 - w) * ug + (1.0 - w) ** 2 * gg).clamp_min(0.0).sqrt()
    pull = ratio(length, size)
    return weighted(u, g_r, 0.5 + pull * w, 0.5 + pull * (1.0 - w), overwrite)
