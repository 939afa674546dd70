from __future__ import annotations

from typing import Any

from torch import Tensor
from typing_extensions import override

from lightning_unlearn.metrics._base import SampleMetric
from lightning_unlearn.metrics.functional._linear_probe import _linear_probe_validate, linear_probe_accuracy
from lightning_unlearn.metrics.functional._membership import _membership_validate_args


class LinearProbeAccuracy(SampleMetric):
    """Balanced accuracy of a linear classifier that tells the forgotten class's features from the rest's.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.linear_probe_accuracy`, which says what is computed. The
    features of all samples are kept.

    Args:
        folds: number of cross-validation folds, at least 2.
        seed: of the folds.
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: `folds` is less than 2; from `update`, the shapes do not fit, or a feature is not finite; from
            `compute`, a group has fewer samples than folds.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import LinearProbeAccuracy
        >>> metric = LinearProbeAccuracy()
        >>> forgotten = torch.arange(40) < 10
        >>> metric.update(torch.stack([forgotten.float(), torch.linspace(0, 1, 40)], dim=1), forgotten)
        >>> metric.compute()
        tensor(1.)
    """

    measures = (
        "How well one linear layer on a model's features still tells the forgotten class from the rest."
    )
    target = "reference"
    citation = "Alain and Bengio, Understanding Intermediate Layers Using Linear Classifier Probes, ICLR 2017 workshop"
    higher_is_better = None
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    features: list[Tensor]
    forgotten: list[Tensor]

    def __init__(self, folds: int = 5, seed: int = 0, **kwargs: Any) -> None:
        _membership_validate_args(folds)
        super().__init__("features", "forgotten", **kwargs)
        self.folds = folds
        self.seed = seed

    @override
    def update(self, features: Tensor, forgotten: Tensor) -> None:
        """Add the samples of a batch.

        Args:
            features: shape (N, D), finite.
            forgotten: bool tensor of shape (N,): true for samples of the forgotten class, false for the others.
        """
        _linear_probe_validate(features, forgotten)
        self._keep(features=features, forgotten=forgotten.bool())

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor in [0, 1]."""
        features, forgotten = self._kept("features"), self._kept("forgotten")
        return linear_probe_accuracy(features, forgotten, folds=self.folds, seed=self.seed)
