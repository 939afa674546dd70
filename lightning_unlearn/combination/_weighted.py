"""What the rules have in common: inner products of two gradients, and their weighted sum."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_unlearn.gradient import Gradient


def products(u: Gradient, g: Gradient) -> tuple[Tensor, Tensor, Tensor]:
    """`⟨u, u⟩`, `⟨u, g⟩` and `⟨g, g⟩`, 0-d float64 tensors; one all-reduce where entries are sharded."""
    uu, ug, gg = Gradient.dots((u, u), (u, g), (g, g))
    return uu, ug, gg


def ratio(numerator: Tensor, denominator: Tensor, otherwise: float = 0.0) -> Tensor:
    """`numerator / denominator`, and `otherwise` where the denominator is 0 (or so small that it is not normal)."""
    there = denominator >= torch.finfo(denominator.dtype).tiny
    # NaN, where the denominator is NaN: a step that is not finite must not look healthy
    return torch.where(there, numerator / denominator, otherwise + denominator * 0.0)


def weighted(u: Gradient, g: Gradient, a: Tensor, b: Tensor, overwrite: bool) -> Gradient:
    """`a u + b g`, in the memory of `u` if it may be overwritten."""
    return (u if overwrite else u.clone()).mul_(a).add_(g, b)
