"""A threshold attack on samples that its threshold was not chosen on, accumulated over batches and processes."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from typing_extensions import override

from lightning_unlearn.metrics._membership_roc import Score, _Membership
from lightning_unlearn.metrics.functional._checks import whole_number
from lightning_unlearn.metrics.functional._membership_balanced_accuracy import membership_balanced_accuracy
from lightning_unlearn.metrics.functional._membership_scores import log_likelihood


class MembershipBalancedAccuracy(_Membership):
    """Balanced accuracy of a threshold attack, each half of the samples judged by the threshold of the other half.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.membership_balanced_accuracy`, which says what is computed.

    Args:
        score: what the attacker looks at: a function of logits (N, C) and labels (N,).
        repeats: how often halves are drawn, at least 1.
        seed: of the halves.
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: `repeats` is less than 1; from `update`, the shapes do not fit, or a logit is not finite; from `compute`, a group has less than two
            samples.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import MembershipBalancedAccuracy
        >>> metric = MembershipBalancedAccuracy()
        >>> logits = torch.tensor([[4.0, 0.0], [4.5, 0.0], [0.0, 0.0], [0.0, 0.0]])
        >>> metric.update(logits, torch.zeros(4, dtype=int), member=torch.tensor([True, True, False, False]))
        >>> metric.compute()
        tensor(1.)
    """

    measures = "How often a threshold tells forget samples from unseen ones that it was not chosen on."
    target = 0.5
    citation = (
        "Yeom et al., Privacy Risk in Machine Learning, CSF 2018; Song and Mittal, USENIX Security 2021"
    )
    higher_is_better = None

    def __init__(
        self, score: Score = log_likelihood, repeats: int = 50, seed: int = 0, **kwargs: Any
    ) -> None:
        whole_number("repeats", repeats, least=1)
        super().__init__(score, **kwargs)
        self.repeats = repeats
        self.seed = seed

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor in [0, 1]."""
        return membership_balanced_accuracy(*self._groups(), repeats=self.repeats, seed=self.seed)
