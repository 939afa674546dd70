"""One number for each sample of a side, such as an ELBO: its mean, and how sure that is."""

from __future__ import annotations

from scipy.stats import t
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import finite_samples, level_between_0_and_1


def side_mean(values: Tensor) -> Tensor:
    """Mean over a side's samples of what a model says of each: its ELBO, or the error of its reconstruction.

    Each sample weighs the same, however the samples were batched.

    Args:
        values: one number for each sample, shape (N,), finite.

    Returns:
        0-d float32 tensor on the device of `values`.

    Raises:
        ValueError: there are no samples, or a value is not finite.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import side_mean
        >>> side_mean(torch.tensor([1.0, 2.0, 6.0]))
        tensor(3.)
    """
    return finite_samples("values", values).mean().float()


def mean_interval(values: Tensor, *, level: float = 0.95) -> tuple[Tensor, Tensor]:
    """Student's interval of a mean, `m ± t_{N−1} s/√N`.

    It says what the choice of samples is worth, not that of the training run. With some dozens of samples of a skewed kind
    it covers too little.

    Source: Student, "The Probable Error of a Mean", Biometrika 1908; `scipy.stats.t`.

    Args:
        values: one number for each sample, shape (N,), finite, N at least 2; independent of one another.
        level: how often the interval should hold the true mean, between 0 and 1.

    Returns:
        Lower and upper bound, 0-d float32 tensors on the device of `values`.

    Raises:
        ValueError: there are fewer than 2 samples, a value is not finite, or `level` is out of range.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import mean_interval
        >>> mean_interval(torch.tensor([1.0, 2.0, 6.0]))
        (tensor(-3.5724), tensor(9.5724))
    """
    samples = finite_samples("values", values, least=2)
    level_between_0_and_1(level)
    half = float(t.ppf((1 + level) / 2, len(samples) - 1)) * samples.std() / len(samples) ** 0.5
    mean = samples.mean()
    return (mean - half).float(), (mean + half).float()
