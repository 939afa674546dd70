"""SFR-on again, in float64 NumPy: coefficients, both Fishers sample by sample, the mask, the clip, the schedule."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tests.strategies._fits import samples
from tests.strategies._loops import Hand, Term
from tests.strategies._modules import Net

SHARES = {
    "cosine": lambda t: (1 + math.cos(math.pi * t)) / 2,
    "linear": lambda t: 1 - t,
    "quadratic": lambda t: (1 - t) ** 2,
    "constant": lambda t: 1.0,
}


def weighted(exponent: float, smallest: float = 1e-6) -> Term:
    """Numerator and divisor of `−Σ kᵢ ℓᵢ / Σ kⱼ`."""

    def term(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        losses = cross_entropy(logits, labels, reduction="none")
        k = torch.tensor(
            [1 / max(float(loss.detach()), smallest) ** exponent for loss in losses], dtype=losses.dtype
        )
        return -(k * losses).sum(), k.sum()

    return term


def fisher(net: Any, count: int, seed: int, at_most: int | None = None) -> np.ndarray:
    """Mean of squared gradients, one sample at a time; of a fixed random part of them."""
    inputs, labels = samples(count, seed).tensors
    if at_most is not None:
        drawn = torch.randperm(count, generator=torch.Generator().manual_seed(0))[:at_most]
        inputs, labels = inputs[drawn], labels[drawn]
    total = np.zeros(sum(p.numel() for p in net.parameters()))
    for x, y in zip(inputs, labels, strict=True):
        gradients = torch.autograd.grad(cross_entropy(net(x), y), list(net.parameters()))
        total += torch.cat([g.reshape(-1) for g in gradients]).numpy() ** 2
    return total / len(inputs)


@functools.cache
def mask(gamma: float, at_most: int | None = None) -> np.ndarray:
    """Of the module and the loaders that the laws begin with."""
    net = Net().net
    chosen = fisher(net, 12, 2, at_most) >= gamma * fisher(net, 20, 1, at_most)
    assert 0 < chosen.sum() < len(chosen), "all or none: the mask would not be tried"
    return chosen


def direction(
    *,
    alpha: float = 25.0,
    retain_steps: int = 5,
    schedule: str = "cosine",
    gamma: float = 1.0,
    exponent: float = 0.5,
    clip: float = 7.0,
    fisher_samples: int | None = None,
) -> Callable[[Hand], np.ndarray]:
    """The forget step in turn with `retain_steps` others; the coefficients are in `weighted(exponent)`."""

    def of(h: Hand) -> np.ndarray:
        if h.step % (1 + retain_steps):
            return h.g
        fast = alpha * SHARES[schedule](h.step / h.total) * h.u * mask(gamma, fisher_samples)
        return fast * min(1.0, clip / np.linalg.norm(fast))

    return of


def moves(retain_steps: int, gamma: float, fisher_samples: int | None = None) -> Callable[[int], np.ndarray]:
    """Masked weights stay in forget steps, and only there."""
    chosen = mask(gamma, fisher_samples)
    return lambda step: chosen if step % (1 + retain_steps) == 0 else np.ones_like(chosen)
