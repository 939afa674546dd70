"""How alike two models' features are, up to rotation and scale."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import finite_samples


def linear_cka(features: Tensor, reference_features: Tensor) -> Tensor:
    """Linear centred kernel alignment of two models' features for the same samples, with unbiased estimates.

    `CKA = HSIC(X, Y) / √(HSIC(X, X) HSIC(Y, Y))`. It does not change when features are rotated, shifted or scaled. With
    rows centred, `a_i = ‖x_i‖²`, `b_i = ‖y_i‖²`:
    `HSIC ∝ ‖XᵀY‖²_F − N/(N−2) Σ a_i b_i + Σ a_i Σ b_i / ((N−1)(N−2))`.

    The usual estimate leaves out the last two terms: it is biased, and close to 1 for unrelated features once there are
    as many features as samples, as there are in most forget sets. The unbiased one is about 0 then. It may be negative.

    Source: Kornblith et al., "Similarity of Neural Network Representations Revisited", ICML 2019; the unbiased estimate:
    Song et al., "Feature Selection via Dependence Maximization", JMLR 2012, as used by Nguyen et al., ICLR
    2021. Scores published with the biased estimate are larger.

    Args:
        features: of the model, shape (N, D), finite, N at least 4.
        reference_features: of the other model for the same samples, shape (N, E), finite.

    Returns:
        0-d float32 tensor in [−1, 1] on the device of `features`; 1 if alike. NaN where all samples have the same
        features, or all are equally far apart: there is nothing to align then.

    Raises:
        ValueError: there are fewer than 4 samples, the shapes do not fit, or a feature is not finite.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import linear_cka
        >>> x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [4.0, 1.0]])
        >>> linear_cka(x, 5 - 2 * x.flip(1))
        tensor(1.)
    """
    x, y = _linear_cka_validate(features, reference_features, least=4)
    x, y = _normalised(x), _normalised(y.to(x.device))
    own, other = _hsic(x, x), _hsic(y, y)
    tiny = 64 * torch.finfo(x.dtype).eps
    if own <= tiny or other <= tiny:
        return x.new_tensor(torch.nan).float()
    return (_hsic(x, y) / (own * other).sqrt()).clamp(-1, 1).float()


def _linear_cka_validate(
    features: Tensor, reference_features: Tensor, *, least: int
) -> tuple[Tensor, Tensor]:
    x = finite_samples("features", features, ndim=2, least=least)
    y = finite_samples("reference_features", reference_features, ndim=2, least=0)
    if len(x) != len(y):
        raise ValueError(
            f"`reference_features` must have as many rows as `features` ({len(x)}), found {len(y)}. Pass the features "
            "of the same samples, in the same order."
        )
    return x, y


def _normalised(features: Tensor) -> Tensor:
    """Centred, and with `‖XᵀX‖_F = 1`, or 0 where all rows are equal."""
    # the first row goes before the mean, whose rounding would leave something of equal rows
    shifted = features - features[0]
    if not shifted.any():
        return shifted
    scaled = shifted / shifted.abs().amax()
    centred = scaled - scaled.mean(0)
    return centred / _squared_product(centred, centred) ** 0.25


def _hsic(x: Tensor, y: Tensor) -> Tensor:
    """`N (N − 3)` times the unbiased estimate, from centred rows."""
    n = len(x)
    a, b = x.square().sum(1), y.square().sum(1)
    return _squared_product(x, y) - n / (n - 2) * (a * b).sum() + a.sum() * b.sum() / ((n - 1) * (n - 2))


def _squared_product(x: Tensor, y: Tensor) -> Tensor:
    """`‖XᵀY‖²_F`, by the smaller of the two possible products."""
    if len(x) < max(x.shape[1], y.shape[1]):
        return ((x @ x.T) * (y @ y.T)).sum()
    return (x.T @ y).square().sum()
