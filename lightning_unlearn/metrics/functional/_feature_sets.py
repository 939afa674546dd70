"""Features of generated and of real images: what every comparison of the two asks of them."""

from __future__ import annotations

from torch import Tensor

from lightning_unlearn.metrics.functional._checks import finite_samples


def two_feature_sets(features: Tensor, reference_features: Tensor, *, least: int) -> tuple[Tensor, Tensor]:
    """Both in float64 on one device, if they are finite, at least `least` rows each, and as wide as each other."""
    x = finite_samples("features", features, ndim=2, least=least)
    y = finite_samples("reference_features", reference_features, ndim=2, least=least)
    same_width(x, y)
    return x, y.to(x.device)


def same_width(features: Tensor, reference_features: Tensor) -> None:
    """Whether two sets have as many columns, at least one."""
    if features.shape[1] != reference_features.shape[1] or not features.shape[1]:
        raise ValueError(
            f"`features` and `reference_features` must have as many columns, at least one, found {features.shape[1]} and "
            f"{reference_features.shape[1]}. Pass what the same feature extractor says of both."
        )
