"""KLoM for few models: divergence of fitted normals."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import two_populations
from lightning_unlearn.metrics.functional._moments import mean_and_variance


def gaussian_klom_per_sample(unlearned_margins: Tensor, oracle_margins: Tensor) -> Tensor:
    """`KL(p ‖ q)` of each sample between normals fitted to its margins, free of bias if the margins are normal.

    With means `m` and variances `v` of the unlearned models (u) and the oracles (o) the divergence is
    `½ [log(v_o / v_u) + (v_u + (m_u − m_o)²) / v_o − 1]`. Estimates of `m` and `v` from M and K models make this too large:
    for equal normals it is about `1/M + 1/K` on average, 0.27 for M = K = 10. The mean of every term is known for normal
    margins, so that the bias is taken off exactly:

    `½ [log(v_o / v_u) + g(M) − g(K) + (K−3)/(K−1) · ((1 − 1/M) v_u + (m_u − m_o)²) / v_o − 1/K − 1]`,
    `g(n) = ψ((n−1)/2) − log((n−1)/2)`, with ψ the digamma function.

    One estimate may therefore be below 0. Where no model of one set differs from the others the divergence is infinite,
    or 0 if neither set has any spread and both agree.

    Source: the closed form is textbook; that logit gaps are close to normal is in Carlini et al., S&P 2022; the measure is
    that of :func:`klom_per_sample`.

    Args:
        unlearned_margins: shape (M, S), M at least 2.
        oracle_margins: shape (K, S), K at least 4.

    Returns:
        float64 tensor of shape (S,).

    Raises:
        ValueError: there are too few models or no samples, the samples are not the same, or a margin is not finite.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import gaussian_klom_per_sample
        >>> oracles = torch.linspace(-2, 2, 9)[:, None]
        >>> gaussian_klom_per_sample(torch.cat([oracles, oracles + 4], dim=1), oracles.repeat(1, 2))
        tensor([-0.2222,  2.9778], dtype=torch.float64)
    """
    unlearned, oracles = two_populations(
        "unlearned_margins", unlearned_margins, "oracle_margins", oracle_margins, least=(2, 4)
    )
    (mean_u, var_u), (mean_o, var_o) = mean_and_variance(unlearned), mean_and_variance(oracles)
    m, k = len(unlearned), len(oracles)
    logs = (var_o / var_u).log() + _bias_of_log_variance(m, var_u) - _bias_of_log_variance(k, var_o)
    squares = ((1 - 1 / m) * var_u + (mean_u - mean_o).square()) / var_o
    divergence = (logs + (k - 3) / (k - 1) * squares - 1 / k - 1) / 2
    no_spread = (var_u == 0) | (var_o == 0)
    agree = (var_u == var_o) & (mean_u == mean_o)
    return divergence.where(~no_spread, torch.inf).where(~(no_spread & agree), 0.0)


def gaussian_klom(
    unlearned_margins: Tensor,
    oracle_margins: Tensor,
    *,
    aggregate: Callable[[Tensor], Tensor] = torch.mean,
) -> Tensor:
    """The mean of :func:`gaussian_klom_per_sample` over samples, or another summary of it.

    The mean has no bias; a percentile has one. Arguments and errors are those of :func:`gaussian_klom_per_sample`, and:

    Args:
        unlearned_margins: shape (M, S), M at least 2.
        oracle_margins: shape (K, S), K at least 4.
        aggregate: makes one number of the values (S,) in float64.

    Returns:
        0-d float32 tensor on the device of `unlearned_margins`; 0 on average if the models have forgotten.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import gaussian_klom
        >>> oracles = torch.linspace(-2, 2, 9)[:, None]
        >>> gaussian_klom(oracles + 4, oracles)
        tensor(2.9778)
    """
    return aggregate(gaussian_klom_per_sample(unlearned_margins, oracle_margins)).float()


def _bias_of_log_variance(models: int, like: Tensor) -> Tensor:
    """By how much the logarithm of an unbiased variance differs on average from that of the true one."""
    half = torch.full_like(like[:1], (models - 1) / 2)
    return half.digamma() - half.log()
