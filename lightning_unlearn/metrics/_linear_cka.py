from __future__ import annotations

from typing import Any

from torch import Tensor
from typing_extensions import override

from lightning_unlearn.metrics._base import SampleMetric
from lightning_unlearn.metrics.functional._linear_cka import _linear_cka_validate, linear_cka


class LinearCKA(SampleMetric):
    """Linear centred kernel alignment of a model's features with a reference's, with unbiased estimates.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.linear_cka`, which says what is computed. The features of
    all samples are kept: sums alone would have to be centred afterwards, which loses the digits that matter.

    Args:
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: from `update`, the shapes do not fit, or a feature is not finite; from `compute`, there are fewer
            than 4 samples.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import LinearCKA
        >>> metric = LinearCKA()
        >>> x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [4.0, 1.0]])
        >>> metric.update(x, 5 - 2 * x.flip(1))
        >>> metric.compute()
        tensor(1.)
    """

    measures = "How alike a model's features are to a reference's, up to rotation, shift and scale."
    target = 1.0
    citation = "Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019"
    higher_is_better = True
    plot_lower_bound = -1.0
    plot_upper_bound = 1.0

    features: list[Tensor]
    reference_features: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("features", "reference_features", **kwargs)

    @override
    def update(self, features: Tensor, reference_features: Tensor) -> None:
        """Add the samples of a batch.

        Args:
            features: of the model, shape (N, D), finite.
            reference_features: of the reference for the same samples, shape (N, E), finite.
        """
        _linear_cka_validate(features, reference_features, least=0)
        self._keep(features=features, reference_features=reference_features)

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor in [−1, 1], or NaN."""
        return linear_cka(self._kept("features"), self._kept("reference_features"))
