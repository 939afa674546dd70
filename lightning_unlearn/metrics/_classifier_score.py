from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.utilities import dim_zero_cat
from typing_extensions import override

from lightning_unlearn.metrics._extractor import Extractor
from lightning_unlearn.metrics._image_metric import ImageMetric
from lightning_unlearn.metrics.functional._checks import finite_samples
from lightning_unlearn.metrics.functional._classifier_score import score_from_sums, score_sums


class ClassifierScore(ImageMetric):
    """How sure a classifier is of generated images, and how many classes it sees; the inception score with its network.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.classifier_score`, which says what is computed. Only sums are
    kept.

    Args:
        classifier: maps images to logits (N, C): a network of your own, or `InceptionFeatures(layer="logits_unbiased")`. It is
            run in evaluation mode and left as it was; it is neither moved nor saved with the metric.
        name: of the network; None for `InceptionFeatures`, whose label is `"inception score"`.
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: as :class:`~lightning_unlearn.metrics.FrechetDistance`; from `compute`, there are no images.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import ClassifierScore
        >>> metric = ClassifierScore(torch.nn.Flatten(), name="pixels")
        >>> metric.update(9 * torch.eye(3).view(3, 3, 1, 1))
        >>> metric.compute()
        tensor(2.9926)
    """

    measures = "How sure a classifier is of generated images, and how many classes it sees."
    target = "reference"
    citation = "Salimans et al., Improved Techniques for Training GANs, NeurIPS 2016"
    higher_is_better = None
    plot_lower_bound = 1.0

    sums: list[Tensor]
    count: Tensor

    def __init__(self, classifier: nn.Module, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.extractor = Extractor(classifier, name, "classifier")
        self.label = self.extractor.label(
            "classifier score", standard="inception score", layer="logits_unbiased"
        )
        self._tell_apart(self.extractor.name)
        self.add_state("sums", default=[], dist_reduce_fx="cat")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @override
    def update(self, images: Tensor) -> None:
        """Add generated images, a batch that the classifier takes."""
        logits = self.extractor(images)
        if len(images):
            sums = score_sums(finite_samples("logits", logits, ndim=2)).to(self.device)[None]
            self.sums = [torch.cat([*self.sums, sums]).sum(0, keepdim=True)]
            self.count = self.count + len(images)

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor in [1, C]."""
        if self.count == 0:
            raise ValueError(
                "`ClassifierScore` must have seen images before its value is computed, found none. Call `update` first."
            )
        return score_from_sums(dim_zero_cat(self.sums).sum(0), self.count)
