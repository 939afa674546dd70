"""Precision and recall of a generator, accumulated over batches and processes."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from lightning_unlearn.metrics._image_metric import FeatureMetric
from lightning_unlearn.metrics.functional._checks import whole_number
from lightning_unlearn.metrics.functional._manifold import generator_precision, generator_recall


class GeneratorPrecision(FeatureMetric):
    """Share of generated images that lie among the real ones, in the features of any network.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.generator_precision`, which says what is computed. The
    features of all images are kept.

    Args:
        feature_extractor: as in :class:`~lightning_unlearn.metrics.FrechetDistance`.
        name: of the network; None for `InceptionFeatures`.
        neighbours: how far an image reaches: to which of its neighbours of its own kind, at least 1.
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: as :class:`~lightning_unlearn.metrics.FrechetDistance`; `neighbours` is less than 1; from `compute`, there
            are no more than `neighbours` images of either kind.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import GeneratorPrecision
        >>> metric = GeneratorPrecision(torch.nn.Flatten(), name="pixels", neighbours=1)
        >>> metric.update(torch.tensor([[0.0], [1.0], [2.0]]), generated=False)
        >>> metric.update(torch.tensor([[0.5], [9.0]]), generated=True)
        >>> metric.compute()
        tensor(0.5000)
    """

    measures = "How many generated images look like real ones."
    target = "reference"
    citation = "Kynkäänniemi et al., Improved Precision and Recall Metric, NeurIPS 2019"
    higher_is_better = None
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    def __init__(
        self, feature_extractor: nn.Module, name: str | None = None, *, neighbours: int = 3, **kwargs: Any
    ) -> None:
        whole_number("neighbours", neighbours, least=1)
        super().__init__(feature_extractor, name, **kwargs)
        self.label = self.extractor.label("precision")
        self.neighbours = neighbours

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor in [0, 1]."""
        return generator_precision(*self._both(), neighbours=self.neighbours)


class GeneratorRecall(FeatureMetric):
    """Share of real images that lie among the generated ones, in the features of any network.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.generator_recall`. Arguments and errors are those of
    :class:`GeneratorPrecision`.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import GeneratorRecall
        >>> metric = GeneratorRecall(torch.nn.Flatten(), name="pixels", neighbours=1)
        >>> metric.update(torch.tensor([[0.5], [9.0]]), generated=False)
        >>> metric.update(torch.tensor([[0.0], [1.0], [2.0]]), generated=True)
        >>> metric.compute()
        tensor(0.5000)
    """

    measures = "How much of what real images look like is generated."
    target = "reference"
    citation = "Kynkäänniemi et al., Improved Precision and Recall Metric, NeurIPS 2019"
    higher_is_better = None
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    def __init__(
        self, feature_extractor: nn.Module, name: str | None = None, *, neighbours: int = 3, **kwargs: Any
    ) -> None:
        whole_number("neighbours", neighbours, least=1)
        super().__init__(feature_extractor, name, **kwargs)
        self.label = self.extractor.label("recall")
        self.neighbours = neighbours

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor in [0, 1]."""
        return generator_recall(*self._both(), neighbours=self.neighbours)
