"""Accuracy and loss on one side, accumulated over batches and processes."""

from __future__ import annotations

from torch import Tensor
from typing_extensions import override

from lightning_unlearn.metrics._mean import MeanOverSamples
from lightning_unlearn.metrics.functional._membership_scores import correctness, log_likelihood


class SideAccuracy(MeanOverSamples):
    """Share of a side's samples that are classified correctly; one instance for each side.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.side_accuracy`. On the forget set neither 0 nor 1 is the
    aim, but what a model has that was never trained on it. For the accuracy of every class take
    `torchmetrics.classification.MulticlassAccuracy(num_classes, average=None)`.

    Args:
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: from `update`, shapes do not fit, a logit is not finite, or a label is out of range; from `compute`,
            there are no samples.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import SideAccuracy
        >>> metric = SideAccuracy()
        >>> metric.update(torch.eye(3), torch.tensor([0, 1, 1]))
        >>> metric.compute()
        tensor(0.6667)
    """

    measures = "How many samples of a side are classified correctly."
    target = "reference"
    citation = "Fan et al., SalUn, ICLR 2024"
    higher_is_better = None
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    @override
    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Add the samples of a batch: logits (N, C), finite, and class indices (N,)."""
        self._add(correctness(logits, labels))


class SideLoss(MeanOverSamples):
    """Mean cross-entropy of a side's samples; one instance for each side.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.side_loss`. Arguments and errors are those of
    :class:`SideAccuracy`.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import SideLoss
        >>> metric = SideLoss()
        >>> metric.update(torch.zeros(2, 4), torch.tensor([0, 3]))
        >>> metric.compute()
        tensor(1.3863)
    """

    measures = "How surprised a model is by the classes of a side's samples, on average."
    target = "reference"
    citation = "Kurmanji et al., Towards Unbounded Machine Unlearning, NeurIPS 2023"
    higher_is_better = None
    plot_lower_bound = 0.0

    @override
    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Add the samples of a batch: logits (N, C), finite, and class indices (N,)."""
        self._add(-log_likelihood(logits, labels))
