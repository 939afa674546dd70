"""How far a number would move had other samples been drawn."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import bootstrap
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import finite_samples, level_between_0_and_1


def bootstrap_interval(
    statistic: Callable[..., Tensor],
    *groups: Tensor,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Percentile bootstrap interval of a number computed from samples.

    The samples of each group are drawn with replacement, independently of the other groups; the bounds are the `(1 ±
    level) / 2` quantiles of the numbers that the draws give. It says what the choice of samples is worth, not that of the
    training run: for that, train several times.

    Percentiles keep to the range of the statistic and cost no more than the draws. Where the statistic is skewed or biased
    in a group of some dozens, as a maximum over thresholds is, they cover too little: `scipy.stats.bootstrap` has the
    corrected interval (BCa), which is not defined where all draws give one number. Nor can any bootstrap see what no sample
    shows: groups without overlap have an AUC of 1 and an interval of no width.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13; `scipy.stats.bootstrap`.

    Args:
        statistic: function of as many float64 tensors as there are groups, that returns one number, such as
            `membership_auc`. Not an attack that is trained on a part of the samples and scored on the rest: a sample that is
            drawn twice would be in both.
        *groups: of shape (N,) or (N, F), N at least 2, finite: what `statistic` takes. What belongs together, such as
            several scores of a sample, goes into the columns of one group.
        level: how often the interval should hold the true value, between 0 and 1.
        resamples: number of draws, at least `2 / (1 − level)`.
        seed: of the draws; the order of the samples does not matter.

    Returns:
        Lower and upper bound, 0-d float32 tensors.

    Raises:
        ValueError: no group, a group of less than two samples or of another shape, a value that is not finite, a `level` or
            number of `resamples` out of range, or a statistic that is not one finite number for every draw.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import bootstrap_interval, membership_auc
        >>> members, others = torch.linspace(0.5, 1.5, 40), torch.linspace(0, 1, 60)
        >>> low, high = bootstrap_interval(membership_auc, members, others)
        >>> bool(0.75 < low < membership_auc(members, others) < high < 1)
        True
    """
    _bootstrap_validate_args(groups, level, resamples)
    device = groups[0].device
    kept = [_sorted(group) for group in groups]

    def of_draw(*draws: NDArray[np.int64]) -> float:
        value = torch.as_tensor(statistic(*(g[torch.as_tensor(d)] for g, d in zip(kept, draws, strict=True))))
        if value.numel() != 1 or not math.isfinite(value):
            raise ValueError(
                f"`statistic` must return one finite number for every draw, found {value.tolist()}. Choose one that is "
                "defined where samples repeat."
            )
        return float(value)

    interval = bootstrap(
        [np.arange(len(group)) for group in kept],
        of_draw,
        vectorized=False,
        n_resamples=resamples,
        batch=10,  # draws in memory at once
        confidence_level=level,
        method="percentile",
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    low, high = (torch.tensor(bound, dtype=torch.float32, device=device) for bound in interval)
    return low, high


def _bootstrap_validate_args(groups: tuple[Tensor, ...], level: float, resamples: object) -> None:
    if not groups:
        raise ValueError("`groups` must hold at least one group, found none. Pass the samples' scores.")
    level_between_0_and_1(level)
    least = math.ceil(round(2 / (1 - level), 6))
    if isinstance(resamples, bool) or not isinstance(resamples, int) or resamples < least:
        raise ValueError(
            f"`resamples` must be an integer of at least {least} for the level {level}, found {resamples!r}. Usual are "
            "1000 or more."
        )


def _sorted(group: Tensor) -> Tensor:
    values = finite_samples("groups", group, ndim=2 if group.ndim == 2 else 1, least=2)
    if not values.numel():
        return values
    keys = values.reshape(len(values), -1).cpu().numpy().T[::-1]
    return values[torch.as_tensor(np.lexsort(keys), device=values.device)]
