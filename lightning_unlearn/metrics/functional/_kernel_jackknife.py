"""The jackknife of the kernel distance, at the price of one kernel distance."""

from __future__ import annotations

import torch
from scipy.stats import t
from torch import Tensor

from lightning_unlearn.metrics.functional._feature_sets import two_feature_sets
from lightning_unlearn.metrics.functional._jackknife import in_block
from lightning_unlearn.metrics.functional._kernel_distance import PolynomialKernel


def kernel_distance_and_interval(
    features: Tensor, reference_features: Tensor, *, level: float = 0.95, blocks: int = 10, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """`kernel_distance`, and its `jackknife_interval` over the blocks of `features`, from the kernel's sums over pairs of blocks.

    Returns:
        The distance and the bounds, 0-d float32 tensors.
    """
    x, y = two_feature_sets(features, reference_features, least=2 * blocks)
    kernel = PolynomialKernel(3, 1 / x.shape[1], 1.0)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed)).to(x.device)
    parts = [x[order[in_block(order, block, blocks)]] for block in range(blocks)]
    own = torch.stack([torch.stack([kernel.total(a, b) for b in parts]) for a in parts])
    own = own - torch.diag(torch.stack([kernel.diagonal(a) for a in parts]))
    cross = torch.stack([kernel.total(a, y) for a in parts])
    other = (kernel.total(y, y) - kernel.diagonal(y)) / (len(y) * (len(y) - 1))

    def distance(pairs: Tensor, with_others: Tensor, count: Tensor) -> Tensor:
        return pairs / (count * (count - 1)) + other - 2 * with_others / (count * len(y))

    counts = own.new_tensor([len(part) for part in parts])
    value = distance(own.sum(), cross.sum(), counts.sum())
    without = own.sum() - 2 * own.sum(1) + own.diagonal()
    left = distance(without, cross.sum() - cross, counts.sum() - counts)
    half = float(t.ppf((1 + level) / 2, blocks - 1)) * ((blocks - 1) * left.var(correction=0)).sqrt()
    return value.float(), (value - half).float(), (value + half).float()
