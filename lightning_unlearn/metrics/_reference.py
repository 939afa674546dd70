"""How far a model's predictions are from a reference's, accumulated over batches and processes."""

from __future__ import annotations

import math

from torch import Tensor
from typing_extensions import override

from lightning_unlearn.metrics._mean import MeanOverSamples
from lightning_unlearn.metrics.functional._reference import (
    _activation_distances,
    _agreements,
    _js_divergences,
    _kl_divergences,
)


class ActivationDistance(MeanOverSamples):
    """Mean Euclidean distance of a model's class probabilities from a reference's.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.activation_distance`, which says what is computed.

    Two models retrained with different seeds differ, too: their distance is the floor to compare with.

    Args:
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: from `update`, the shapes do not fit, or a logit is not finite; from `compute`, nothing was seen.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import ActivationDistance
        >>> metric = ActivationDistance()
        >>> metric.update(torch.tensor([[50.0, 0.0]]), torch.tensor([[0.0, 50.0]]))
        >>> metric.compute()
        tensor(1.4142)
    """

    measures = "How far a model's class probabilities are from those of a reference, as a Euclidean distance."
    target = 0.0
    citation = "Chundawat et al., Can Bad Teaching Induce Forgetting?, AAAI 2023"
    higher_is_better = False
    plot_lower_bound = 0.0
    plot_upper_bound = math.sqrt(2)

    @override
    def update(self, logits: Tensor, reference_logits: Tensor) -> None:
        """Add the samples of a batch: the logits of the model and of the reference, each of shape (N, C)."""
        self._add(_activation_distances(logits, reference_logits))


class PredictionAgreement(MeanOverSamples):
    """Share of samples for which a model and a reference predict the same class, also called completeness.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.prediction_agreement`. Arguments and errors are those of
    :class:`ActivationDistance`.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import PredictionAgreement
        >>> metric = PredictionAgreement()
        >>> metric.update(torch.tensor([[2.0, 1.0], [0.0, 1.0]]), torch.tensor([[9.0, 0.0], [1.0, 0.0]]))
        >>> metric.compute()
        tensor(0.5000)
    """

    measures = "How often a model and a reference predict the same class, right or wrong."
    target = 1.0
    citation = "Cao and Yang, Towards Making Systems Forget with Machine Unlearning, S&P 2015"
    higher_is_better = True
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    @override
    def update(self, logits: Tensor, reference_logits: Tensor) -> None:
        """Add the samples of a batch: the logits of the model and of the reference, each of shape (N, C)."""
        self._add(_agreements(logits, reference_logits))


class ReferenceJSDivergence(MeanOverSamples):
    """Mean Jensen–Shannon divergence, in nats, of a model's class probabilities from a reference's.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.reference_js_divergence`. Arguments and errors are those
    of :class:`ActivationDistance`.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import ReferenceJSDivergence
        >>> metric = ReferenceJSDivergence()
        >>> metric.update(torch.tensor([[900.0, 0.0]]), torch.tensor([[0.0, 900.0]]))
        >>> metric.compute()
        tensor(0.6931)
    """

    measures = "How far a model's class probabilities are from those of a reference, as a bounded divergence."
    target = 0.0
    citation = "Chundawat et al., Can Bad Teaching Induce Forgetting?, AAAI 2023"
    higher_is_better = False
    plot_lower_bound = 0.0
    plot_upper_bound = math.log(2)

    @override
    def update(self, logits: Tensor, reference_logits: Tensor) -> None:
        """Add the samples of a batch: the logits of the model and of the reference, each of shape (N, C)."""
        self._add(_js_divergences(logits, reference_logits))


class ReferenceKLDivergence(MeanOverSamples):
    """Mean `KL(p_ref‖p)`, in nats, of a model's class probabilities `p` from a reference's.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.reference_kl_divergence`. Arguments and errors are those
    of :class:`ActivationDistance`.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import ReferenceKLDivergence
        >>> metric = ReferenceKLDivergence()
        >>> metric.update(torch.tensor([[900.0, 0.0]]), torch.tensor([[0.0, 900.0]]))
        >>> metric.compute()
        tensor(900.)
    """

    measures = "How much likelihood a model loses where a reference puts its probability."
    target = 0.0
    citation = "Huang et al., Unified Gradient-Based Machine Unlearning with Remain Geometry Enhancement, NeurIPS 2024"
    higher_is_better = False
    plot_lower_bound = 0.0

    @override
    def update(self, logits: Tensor, reference_logits: Tensor) -> None:
        """Add the samples of a batch: the logits of the model and of the reference, each of shape (N, C)."""
        self._add(_kl_divergences(logits, reference_logits))
