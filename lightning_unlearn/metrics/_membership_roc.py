"""Membership inference by one threshold on a score, accumulated over batches and processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from torch import Tensor
from typing_extensions import override

from lightning_unlearn.metrics._base import SampleMetric
from lightning_unlearn.metrics.functional._checks import flags
from lightning_unlearn.metrics.functional._membership_roc import (
    _membership_tpr_validate_args,
    membership_advantage,
    membership_auc,
    membership_tpr,
)
from lightning_unlearn.metrics.functional._membership_scores import log_likelihood

Score: TypeAlias = Callable[[Tensor, Tensor], Tensor]


class _Membership(SampleMetric):
    """Keeps a score of each sample, and whether the sample is a member.

    Args:
        score: a function of logits (N, C) and labels (N,) that is larger for members; may give several columns.
        **kwargs: passed to `torchmetrics.Metric`.
    """

    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    scores: list[Tensor]
    member: list[Tensor]

    def __init__(self, score: Score = log_likelihood, **kwargs: Any) -> None:
        super().__init__("scores", "member", **kwargs)
        self.score = score

    @override
    def update(self, logits: Tensor, labels: Tensor, member: Tensor) -> None:
        """Add the samples of a batch.

        Args:
            logits: shape (N, C), finite.
            labels: class indices of shape (N,).
            member: bool tensor of shape (N,): true for the forget set, false for unseen data of the same kind.
        """
        scores = self.score(logits, labels)
        self._keep(scores=scores, member=flags("member", member, len(scores)))

    def _groups(self) -> tuple[Tensor, Tensor]:
        scores, member = self._kept("scores"), self._kept("member")
        return scores[member], scores[~member]


class MembershipAUC(_Membership):
    """Area under the ROC curve of a threshold on a membership score.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.membership_auc`, which says what is computed.

    Args:
        score: what the attacker looks at: a function of logits (N, C) and labels (N,), such as `log_likelihood`,
            `negative_modified_entropy` or `correctness` of `metrics.functional`.
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: from `update`, the shapes do not fit, or a logit is not finite; from `compute`, a group is empty.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import MembershipAUC
        >>> metric = MembershipAUC()
        >>> logits, labels = torch.tensor([[4.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 0])
        >>> metric.update(logits, labels, member=torch.tensor([True, False]))
        >>> metric.compute()
        tensor(1.)
    """

    measures = "How well a threshold on a score tells forget samples from unseen ones, over all thresholds."
    target = 0.5
    citation = "Yeom et al., Privacy Risk in Machine Learning, CSF 2018"
    higher_is_better = None

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor in [0, 1]."""
        return membership_auc(*self._groups())


class MembershipAdvantage(_Membership):
    """Largest difference of true and false positive rate of a threshold on a membership score.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.membership_advantage`. Arguments and errors are those of
    :class:`MembershipAUC`.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import MembershipAdvantage
        >>> metric = MembershipAdvantage()
        >>> logits, labels = torch.tensor([[4.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 0])
        >>> metric.update(logits, labels, member=torch.tensor([True, False]))
        >>> metric.compute()
        tensor(1.)
    """

    measures = "How much more often the best threshold takes a forget sample for a member than an unseen one."
    target = 0.0
    citation = "Yeom et al., Privacy Risk in Machine Learning, CSF 2018, definition 4"
    higher_is_better = False

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor in [0, 1]."""
        return membership_advantage(*self._groups())


class MembershipTPR(_Membership):
    """Share of members that a threshold finds at a low false positive rate.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.membership_tpr`. Arguments and errors are those of
    :class:`MembershipAUC`, and:

    Args:
        fpr: false positive rate in [0, 1].
        score: what the attacker looks at.
        **kwargs: passed to `torchmetrics.Metric`.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import MembershipTPR
        >>> metric = MembershipTPR(fpr=0.001)
        >>> logits, labels = torch.tensor([[4.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 0])
        >>> metric.update(logits, labels, member=torch.tensor([True, False]))
        >>> metric.compute()
        tensor(1.)
    """

    measures = "How many forget samples an attacker is sure of while hardly ever accusing an unseen one."
    citation = "Carlini et al., Membership Inference Attacks From First Principles, S&P 2022"
    higher_is_better = None
    target = "reference"

    def __init__(self, fpr: float = 0.01, score: Score = log_likelihood, **kwargs: Any) -> None:
        _membership_tpr_validate_args(fpr)
        super().__init__(score, **kwargs)
        self.fpr = fpr

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor in [0, 1]."""
        return membership_tpr(*self._groups(), fpr=self.fpr)
