"""The score of the NeurIPS 2023 machine unlearning challenge, accumulated over models and processes."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from typing_extensions import override

from lightning_unlearn.metrics._populations import GapMetric, PopulationMetric
from lightning_unlearn.metrics.functional._forgetting_quality import (
    _delta_validate_args,
    forgetting_quality,
    unlearning_competition_score,
)


class ForgettingQuality(GapMetric):
    """How little the best threshold tells unlearned from retrained models, mean over forget samples.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.forgetting_quality`, which says what is computed, and
    why a retrained model has about 0.22, not 1.

    Args:
        delta: of (ε, δ)-unlearning, in [0, 1).
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: `delta` is out of range; from `update`, the shapes do not fit; from `compute`, a set has no models, or a
            gap is not finite.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import ForgettingQuality
        >>> metric = ForgettingQuality()
        >>> metric.update(torch.tensor([[1.0], [3.0], [4.0]]), reference=torch.zeros(3, dtype=torch.bool))
        >>> metric.update(torch.tensor([[0.0], [0.5], [3.5]]), reference=torch.ones(3, dtype=torch.bool))
        >>> metric.compute()
        tensor(0.5000)
    """

    measures = "How little a threshold on a forget sample's output tells unlearned from retrained models."
    target = "reference"
    citation = "Triantafillou et al., Are We Making Progress in Unlearning?, 2024"
    higher_is_better = None
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    def __init__(self, delta: float = 1e-5, **kwargs: Any) -> None:
        _delta_validate_args(delta)
        super().__init__(**kwargs)
        self.delta = delta

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor in [2⁻¹², 1]."""
        return forgetting_quality(*self._sets(), delta=self.delta)


class UnlearningCompetitionScore(PopulationMetric):
    """Forgetting quality times what is left of retain and of test accuracy.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.unlearning_competition_score`.

    Args:
        delta: of (ε, δ)-unlearning, in [0, 1).
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: as for :class:`ForgettingQuality`; an accuracy is not between 0 and 1, or those of the retrained models
            are all 0.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import UnlearningCompetitionScore
        >>> metric = UnlearningCompetitionScore()
        >>> gaps = torch.tensor([[1.0], [3.0], [4.0], [0.0], [0.5], [3.5]])
        >>> reference = torch.tensor([False, False, False, True, True, True])
        >>> metric.update(gaps, reference, accuracies=torch.tensor([[0.9, 0.8]] * 3 + [[1.0, 0.8]] * 3))
        >>> metric.compute()
        tensor(0.4500)
    """

    measures = "Forgetting quality, less what unlearning cost in retain and test accuracy."
    target = "reference"
    citation = "Triantafillou et al., Are We Making Progress in Unlearning?, 2024"
    higher_is_better = None
    plot_lower_bound = 0.0

    accuracies: list[Tensor]

    def __init__(self, delta: float = 1e-5, **kwargs: Any) -> None:
        _delta_validate_args(delta)
        super().__init__("accuracies", **kwargs)
        self.delta = delta

    @override
    def update(self, gaps: Tensor, reference: Tensor, accuracies: Tensor) -> None:
        """Add models.

        Args:
            gaps: shape (M, S): the logit gap of each model for each forget sample.
            reference: bool tensor of shape (M,): true for models trained without the forget set, false for unlearned ones.
            accuracies: shape (M, 2): of each model on the retain and on the test set, in [0, 1].
        """
        if accuracies.shape != (*gaps.shape[:1], 2):
            raise ValueError(
                f"`accuracies` must have the shape {(*gaps.shape[:1], 2)}, found {tuple(accuracies.shape)}. Pass retain and "
                "test accuracy of each model."
            )
        self._keep_models(gaps, reference=reference)
        self._keep(accuracies=accuracies)

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor, not negative."""
        return unlearning_competition_score(*self._sets(), *self._sets("accuracies"), delta=self.delta)
