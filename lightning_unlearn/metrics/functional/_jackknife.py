"""How far a distance of distributions would move had other samples been drawn."""

from __future__ import annotations

from collections.abc import Callable

import torch
from scipy.stats import t
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import finite_samples, level_between_0_and_1, whole_number


def jackknife_interval(
    statistic: Callable[..., Tensor],
    *groups: Tensor,
    level: float = 0.95,
    blocks: int = 10,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Interval of a number computed from samples, by leaving out one block of them at a time.

    For what a bootstrap cannot do: samples that are drawn twice make :func:`frechet_distance`, :func:`kernel_distance` and
    neighbours in :func:`generator_precision` see more alike than there is. Each group is cut at random into `blocks` parts;
    `s² = Σ_groups (B−1)/B Σ_b (θ_b − θ̄)²` with `θ_b` the number without part b; the bounds are `θ ± t_{B−1} s`.

    It is an interval of the number that *so many* samples give on average, with the bias that this has: a Fréchet
    distance from few samples is too large, and so is its interval. It knows nothing of the training run.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 11; the delete-a-group form: Kott, "The
    Delete-a-Group Jackknife", Journal of Official Statistics 2001.

    Args:
        statistic: function of as many float64 tensors as there are groups, that returns one number.
        *groups: of shape (N, D), N at least `2 blocks`, finite.
        level: how often the interval should hold that number, between 0 and 1.
        blocks: B, at least 2; the statistic is computed `1 + B · groups` times.
        seed: of the parts.

    Returns:
        Lower and upper bound, 0-d float32 tensors.

    Raises:
        ValueError: no group, one with too few samples, a value that is not finite, or a number out of range.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import frechet_distance, jackknife_interval
        >>> x = torch.linspace(0, 1, 200)[:, None]
        >>> low, high = jackknife_interval(frechet_distance, x + 1, x)
        >>> bool(0.8 < low < frechet_distance(x + 1, x) < high < 1.2)
        True
    """
    whole_number("blocks", blocks, least=2)
    whole_number("seed", seed, least=0)
    level_between_0_and_1(level)
    if not groups:
        raise ValueError("`groups` must hold at least one group, found none. Pass the samples' features.")
    kept = [finite_samples("groups", group, ndim=2, least=2 * blocks) for group in groups]
    generator = torch.Generator().manual_seed(seed)
    value = statistic(*kept).double()
    variance = torch.zeros_like(value)
    for place, group in enumerate(kept):
        order = torch.randperm(len(group), generator=generator).to(group.device)
        left = [
            statistic(*kept[:place], group[order[~in_block(order, block, blocks)]], *kept[place + 1 :])
            for block in range(blocks)
        ]
        variance = variance + (blocks - 1) * torch.stack(left).double().var(correction=0)
    half = float(t.ppf((1 + level) / 2, blocks - 1)) * variance.sqrt()
    return (value - half).float(), (value + half).float()


def in_block(order: Tensor, block: int, blocks: int) -> Tensor:
    """Which places of the random order are one block."""
    return torch.arange(len(order), device=order.device) % blocks == block
