from __future__ import annotations

from lightning_unlearn.combination._weighted import products, ratio, weighted
from lightning_unlearn.gradient import Gradient


def normalised_difference(
    u: Gradient, g_r: Gradient, alpha: float = 1.0, *, overwrite: bool = False
) -> Gradient:
    """The sum of both gradients, each brought to length 1.

    `D = g_r / ‖g_r‖ + α u / ‖u‖`. Neither side can drown the other. The step does not die out near a minimum: the learning rate
    is a length, and a schedule should bring it to 0.

    Args:
        u: gradient of the forget objective; where it is zero, its term is.
        g_r: the retain gradient; where it is zero, its term is.
        alpha: weight `α` of the forget term, finite.
        overwrite: whether the result may take the memory of `u`.

    References:
        Bu et al., "Unlearning as multi-task optimization: A normalized gradient difference approach with an adaptive learning
        rate", NAACL 2025, arXiv:2410.22086 (NGDiff).

    Example:
        >>> import torch
        >>> from lightning_unlearn import Gradient
        >>> from lightning_unlearn.combination import normalised_difference
        >>> u, g_r = Gradient([torch.tensor([0.0, 0.1])]), Gradient([torch.tensor([20.0, 0.0])])
        >>> normalised_difference(u, g_r).tensors
        [tensor([1., 1.])]
    """
    uu, _, gg = products(u, g_r)
    a, b = (ratio(square.sqrt(), square) for square in (uu, gg))
    return weighted(u, g_r, alpha * a, b, overwrite)
