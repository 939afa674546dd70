"""U-LiRA, accumulated over models and processes."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from typing_extensions import override

from lightning_unlearn.metrics._populations import PopulationMetric
from lightning_unlearn.metrics.functional._ulira import ulira_accuracy


class ULiRAAccuracy(PopulationMetric):
    """Balanced accuracy of the per-example likelihood-ratio attack on unlearned models.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.ulira_accuracy`, which says what is computed. Some of the
    models are victims: the attacker is fitted to the others only, 2 or more of each kind.

    Args:
        shared_variance: take one variance for all samples, for less than about 64 models.
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: from `update`, the shapes do not fit; from `compute`, there are too few models or victims of one kind,
            or a gap is not finite.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import ULiRAAccuracy
        >>> metric = ULiRAAccuracy()
        >>> gaps = torch.tensor([[3.0], [5.0], [2.5], [-1.0], [1.0], [1.0]])
        >>> reference = torch.tensor([False, False, False, True, True, True])
        >>> metric.update(gaps, reference, victim=torch.tensor([False, False, True, False, False, True]))
        >>> metric.compute()
        tensor(1.)
    """

    measures = "How well an attacker who trained many models tells unlearned samples from never trained ones."
    target = 0.5
    citation = "Hayes et al., Inexact Unlearning Needs More Careful Evaluations, 2024"
    higher_is_better = None
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    victim: list[Tensor]

    def __init__(self, shared_variance: bool = False, **kwargs: Any) -> None:
        super().__init__("victim", **kwargs)
        self.shared_variance = shared_variance

    @override
    def update(self, gaps: Tensor, reference: Tensor, victim: Tensor) -> None:
        """Add models.

        Args:
            gaps: shape (M, S): the logit gap of each model for each sample, the same samples in the same order each time.
            reference: bool tensor of shape (M,): true for models never trained on the samples, false for those that
                unlearned them.
            victim: bool tensor of shape (M,): true for models that are attacked, false for those the attacker has.
        """
        self._keep_models(gaps, reference=reference, victim=victim)

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor in [0, 1]."""
        gaps, reference, victim = self._kept("gaps"), self._kept("reference"), self._kept("victim")
        return ulira_accuracy(
            gaps[victim],
            ~reference[victim],
            gaps[~victim & ~reference],
            gaps[~victim & reference],
            shared_variance=self.shared_variance,
        )
