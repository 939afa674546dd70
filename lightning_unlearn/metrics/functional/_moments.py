"""Mean and variance over models, exact where all models agree."""

from __future__ import annotations

from torch import Tensor


def mean_and_variance(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and unbiased variance of each column of (M, S), for M of at least 2.

    Of equal numbers the mean is that number, and the variance 0: rounding leaves neither.
    """
    low, high = outputs.aminmax(dim=0)
    constant = low == high
    return outputs.mean(0).where(~constant, low), outputs.var(0).where(~constant, 0.0)
