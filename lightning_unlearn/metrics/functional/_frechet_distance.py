"""The distance of two normal distributions fitted to features: what FID is, for any feature extractor."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import finite_samples
from lightning_unlearn.metrics.functional._feature_sets import two_feature_sets


def frechet_distance(features: Tensor, reference_features: Tensor) -> Tensor:
    """Squared Fréchet (2-Wasserstein) distance of the normal distributions fitted to two sets of features.

    `‖μ − ν‖² + Tr(Σ + T − 2 (Σ T)^½)` with the means μ, ν and the unbiased covariances Σ, T of the two sets. It is called FID
    if, and only if, the features are those of the Inception network of 2015 after the last pooling, 2048 numbers; with
    other features it is another number, on another scale.

    It is computed in float64. `Tr (Σ T)^½` is the sum of the singular values of `Σ^½ T^½`: no root of a matrix that is not
    symmetric is taken, and none of what is not positive but by rounding. torch-fidelity takes the eigenvalues of `Σ T`, which
    is the same number. Code in circulation that symmetrises `Σ T` first, `(ΣT + TΣ)/2`, does not compute it.

    The estimate is biased upwards, in proportion to `1/N`: compare only values from equally many samples. With fewer samples
    than features the covariances are singular, and the value says little.

    Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", NeurIPS 2017,
    equation 6.

    Args:
        features: of generated images, shape (N, D), finite, N at least 2.
        reference_features: of real images, shape (M, D), finite, M at least 2.

    Returns:
        0-d float32 tensor, at least 0, on the device of `features`; symmetric in its arguments.

    Raises:
        ValueError: a set has fewer than 2 samples, the widths differ, or a feature is not finite.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import frechet_distance
        >>> x = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
        >>> frechet_distance(x + 3, x)
        tensor(18.)
    """
    x, y = two_feature_sets(features, reference_features, least=2)
    return frechet_from_moments(feature_moments(x), feature_moments(y))


def feature_moments(features: Tensor) -> Tensor:
    """Count, mean and centred scatter matrix of (N, D), N at least 1, as one float64 row of `1 + D + D²` numbers."""
    features = finite_samples("features", features, ndim=2)
    mean = features.mean(0)
    centred = features - mean
    count = features.new_tensor([len(features)])
    return torch.cat([count, mean, (centred.T @ centred).flatten()])


def merged_moments(rows: Tensor) -> Tensor:
    """The moments of all samples together, from one row (K, `1 + D + D²`) for each part (Chan, Golub and LeVeque, 1983)."""
    width = moments_width(rows)
    counts, means, scatters = torch.split(rows, [1, width, width * width], dim=1)
    total = counts.sum(0)
    mean = (counts / total * means).sum(0)
    between = (means - mean) * counts.sqrt()
    return torch.cat([total, mean, scatters.sum(0) + (between.T @ between).flatten()])


def frechet_from_moments(moments: Tensor, reference: Tensor) -> Tensor:
    """:func:`frechet_distance` of two sets of which there are the moments, at least 2 samples each."""
    (mean, covariance), (other_mean, other) = (_normal(row) for row in (moments, reference))
    root, other_root = _root(covariance), _root(other)
    overlap = torch.linalg.svdvals(root @ other_root).sum()
    distance = (mean - other_mean).square().sum() + covariance.trace() + other.trace() - 2 * overlap
    squared: Tensor = distance.clamp_min(0).float()
    return squared


def moments_width(rows: Tensor) -> int:
    """How many features there are, D, from the `1 + D + D²` numbers of their moments."""
    return (math.isqrt(4 * rows.shape[-1] - 3) - 1) // 2


def _normal(moments: Tensor) -> tuple[Tensor, Tensor]:
    width = moments_width(moments)
    count, mean, scatter = torch.split(moments, [1, width, width * width])
    return mean, scatter.view(width, width) / (count - 1)


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = vectors * values.clamp_min(0).sqrt() @ vectors.T
    return root
