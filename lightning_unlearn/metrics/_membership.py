"""Membership inference, accumulated over batches and processes."""

from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from lightning_unlearn.metrics._base import SampleMetric
from lightning_unlearn.metrics.functional._membership import (
    _membership_validate_args,
    membership_inference_accuracy,
)


class MembershipInferenceAccuracy(SampleMetric):
    """Accuracy of a logistic regression that guesses from a sample's loss whether the sample was trained on.

    Modular twin of `lightning_unlearn.metrics.functional.membership_inference_accuracy`, which says what is
    computed. Neither high nor low is better: 0.5 is chance, and ideal for a forget set against unseen data of the
    same kind.

    Args:
        folds: Number of cross-validation folds, at least 2.
        seed: Seed of the subsampling and of the folds.
        **kwargs: Passed to `torchmetrics.Metric`.

    Raises:
        ValueError: `folds` is less than 2; from `update`, the shapes or the dtype do not fit; from `compute`, a
            loss is not finite or a group has fewer samples than folds.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import MembershipInferenceAccuracy
        >>> metric = MembershipInferenceAccuracy()
        >>> losses = torch.linspace(0, 1, 50)
        >>> metric.update(losses, member=torch.ones(50, dtype=torch.bool))
        >>> metric.update(losses + 2, member=torch.zeros(50, dtype=torch.bool))
        >>> metric.compute()
        tensor(1.)
    """

    measures = "How well a logistic regression on the loss tells forget samples from unseen ones."
    target = 0.5
    citation = "Kurmanji et al., Towards Unbounded Machine Unlearning, NeurIPS 2023"
    higher_is_better = None
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    losses: list[Tensor]
    member: list[Tensor]

    def __init__(self, folds: int = 5, seed: int = 0, **kwargs: Any) -> None:
        _membership_validate_args(folds)
        super().__init__("losses", "member", **kwargs)
        self.folds = folds
        self.seed = seed

    @override
    def update(self, losses: Tensor, member: Tensor) -> None:
        """Add the samples of a batch.

        Args:
            losses: Loss of each sample, shape (N,).
            member: Whether the sample was trained on, bool tensor of shape (N,).
        """
        if member.dtype != torch.bool:
            raise ValueError(
                f"`member` must be a bool tensor, found {member.dtype}. Pass `member.bool()` if it holds 0 and 1."
            )
        if losses.ndim != 1 or losses.shape != member.shape:
            raise ValueError(
                f"`losses` and `member` must have the same shape (N,), found {tuple(losses.shape)} and "
                f"{tuple(member.shape)}. Pass one loss and one flag for each sample."
            )
        self._keep(losses=losses, member=member)

    @override
    def compute(self) -> Tensor:
        """The accuracy over all samples so far: 0-d float tensor in [0, 1]."""
        losses, member = self._kept("losses"), self._kept("member")
        return membership_inference_accuracy(
            losses[member], losses[~member], folds=self.folds, seed=self.seed
        )
