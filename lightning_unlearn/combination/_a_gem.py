from __future__ import annotations

from lightning_unlearn.gradient import Gradient


def a_gem(u: Gradient, g_r: Gradient, *, overwrite: bool = False) -> Gradient:
    """`u` without its component along `g_r` if they conflict, else `u`: what the first may do without harming the second.

    `D = u − (⟨u, g_r⟩ / ‖g_r‖²) g_r` if `⟨u, g_r⟩ < 0`, else `u`. To first order, a step along `−D` does not raise the retain
    loss. It is the forget part of `GradientSurgery` with `when="conflict"`, which adds the retain gradient to it.

    Args:
        u: gradient of the forget objective.
        g_r: the retain gradient; where it is zero, the result is `u`.
        overwrite: whether the result may take the memory of `u`.

    References:
        Chaudhry et al., "Efficient Lifelong Learning with A-GEM", ICLR 2019, the memory being the retain set.

    Example:
        >>> import torch
        >>> from lightning_unlearn import Gradient
        >>> from lightning_unlearn.combination import a_gem
        >>> u, g_r = Gradient([torch.tensor([-1.0, 1.0])]), Gradient([torch.tensor([2.0, 0.0])])
        >>> a_gem(u, g_r).tensors
        [tensor([0., 1.])]
    """
    return (u if overwrite else u.clone()).project_off_(g_r, when="conflict")
