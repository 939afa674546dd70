"""The unbiased squared maximum mean discrepancy of features: what KID is, for any feature extractor."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import whole_number
from lightning_unlearn.metrics.functional._feature_sets import two_feature_sets

ROWS = 2048  # of the kernel's matrix that exist at once


def kernel_distance(
    features: Tensor,
    reference_features: Tensor,
    *,
    degree: int = 3,
    gamma: float | None = None,
    coefficient: float = 1.0,
) -> Tensor:
    """Unbiased squared maximum mean discrepancy with the kernel `k(x, y) = (γ xᵀy + c)^degree`.

    `1/(N(N−1)) Σ_{i≠j} k(x_i, x_j) + 1/(M(M−1)) Σ_{i≠j} k(y_i, y_j) − 2/(NM) Σ k(x_i, y_j)`, over all samples at once. It is
    called KID if, and only if, the features are those of FID. Unlike FID, its expectation does not depend on the number of
    samples: it is 0 for two sets of one kind, and a single value may be below 0.

    Differs from torch-fidelity and torchmetrics, which average it over 100 random subsets of 1000 samples: the same
    expectation, with more noise, and a value that depends on the order of the samples. Their kernel is computed in the
    type of the features; here it is float64, which matters, since the three terms nearly cancel. It takes
    `(N + M)² D` multiplications: for more than some 20,000 samples pass a part of them.

    Source: Bińkowski et al., "Demystifying MMD GANs", ICLR 2018, section 4; the estimate: Gretton et al., "A Kernel
    Two-Sample Test", JMLR 2012, equation 3.

    Args:
        features: of generated images, shape (N, D), finite, N at least 2.
        reference_features: of real images, shape (M, D), finite, M at least 2.
        degree: of the polynomial, at least 1.
        gamma: γ, positive; `None` for `1/D`.
        coefficient: c, not negative.

    Returns:
        0-d float32 tensor on the device of `features`; published tables mostly have 1000 times this.

    Raises:
        ValueError: a set has fewer than 2 samples, the widths differ, a feature is not finite, or a parameter of the kernel
            is out of range.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import kernel_distance
        >>> x = torch.tensor([[0.0], [1.0]])
        >>> kernel_distance(x, x + 1)
        tensor(9.5000)
    """
    kernel_validate_args(degree, gamma, coefficient)
    x, y = two_feature_sets(features, reference_features, least=2)
    kernel = PolynomialKernel(degree, 1 / x.shape[1] if gamma is None else gamma, coefficient)
    n, m = len(x), len(y)
    own = (kernel.total(x, x) - kernel.diagonal(x)) / (n * (n - 1))
    other = (kernel.total(y, y) - kernel.diagonal(y)) / (m * (m - 1))
    return (own + other - 2 * kernel.total(x, y) / (n * m)).float()


class PolynomialKernel(NamedTuple):
    """`(γ xᵀy + c)^degree`, summed over samples."""

    degree: int
    gamma: float
    coefficient: float

    def total(self, x: Tensor, y: Tensor) -> Tensor:
        """Over all pairs of a row of `x` and one of `y`."""
        parts = [
            ((self.gamma * rows @ y.T + self.coefficient) ** self.degree).sum()
            for rows in torch.split(x, ROWS)
        ]
        return torch.stack(parts).sum()

    def diagonal(self, x: Tensor) -> Tensor:
        """Over the pairs of a row with itself."""
        return ((self.gamma * x.square().sum(1) + self.coefficient) ** self.degree).sum()


def kernel_validate_args(degree: object, gamma: float | None, coefficient: float) -> None:
    """Whether the kernel is a polynomial."""
    whole_number("degree", degree, least=1)
    if gamma is not None and not gamma > 0:
        raise ValueError(f"`gamma` must be positive or None, found {gamma}. None is 1/D.")
    if not coefficient >= 0:
        raise ValueError(f"`coefficient` must not be negative, found {coefficient}. Usual is 1.")
