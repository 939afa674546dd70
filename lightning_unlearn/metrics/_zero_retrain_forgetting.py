from __future__ import annotations

import math

from torch import Tensor
from typing_extensions import override

from lightning_unlearn.metrics._mean import MeanOverSamples
from lightning_unlearn.metrics.functional._zero_retrain_forgetting import _zrf_scores


class ZeroRetrainForgetting(MeanOverSamples):
    """ZRF: how close a model's class probabilities are to those of randomly initialised networks.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.zero_retrain_forgetting`, which says what is computed.

    Not the nearer to 1 the better: a retrained model is below 1, and a model above it has become conspicuously unsure.

    Args:
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: from `update`, the shapes do not fit, or a logit is not finite; from `compute`, nothing was seen.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import ZeroRetrainForgetting
        >>> metric = ZeroRetrainForgetting()
        >>> metric.update(torch.tensor([[50.0, 0.0]]), torch.tensor([[[0.0, 0.0], [50.0, 0.0]]]))
        >>> metric.compute()
        tensor(0.8921)
    """

    measures = "How close a model's class probabilities are to those of networks that have learned nothing."
    target = "reference"
    citation = "Chundawat et al., Can Bad Teaching Induce Forgetting?, AAAI 2023"
    higher_is_better = None
    plot_lower_bound = 1 - math.log(2)
    plot_upper_bound = 1.0

    @override
    def update(self, logits: Tensor, random_logits: Tensor) -> None:
        """Add the samples of a batch.

        Args:
            logits: the model's, shape (N, C), finite.
            random_logits: of one random network, shape (N, C), or of R of them, shape (N, R, C), finite.
        """
        self._add(_zrf_scores(logits, random_logits))
