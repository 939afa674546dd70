"""Gradients to try things on."""

import torch

from lightning_unlearn import Gradient

DOUBLE = torch.float64
SHAPES = {"layer.weight": (3, 2), "layer.bias": (3,), "scale": ()}


def random_gradient(seed, scale=1.0, dtype=DOUBLE):
    generator = torch.Generator().manual_seed(seed)
    return Gradient(
        {n: (scale * torch.randn(s, generator=generator, dtype=DOUBLE)).to(dtype) for n, s in SHAPES.items()}
    )


def partial(seed, *absent):
    return Gradient({n: None if n in absent else t for n, t in random_gradient(seed).items()})


def equal(a, b):
    """Bit for bit but for the sign of zero, and absent where the other is."""
    return a.names == b.names and all(
        (x is None) == (y is None) and (x is None or torch.equal(x, y))
        for x, y in zip(a.tensors, b.tensors, strict=True)
    )
