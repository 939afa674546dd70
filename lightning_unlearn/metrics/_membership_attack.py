"""Membership inference by a classifier on several scores, accumulated over batches and processes."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator
from torch import Tensor
from typing_extensions import override

from lightning_unlearn.metrics._membership_roc import Score, _Membership
from lightning_unlearn.metrics.functional._membership_attack import (
    _membership_attack_validate_args,
    membership_attack_auc,
    membership_features,
)


class MembershipAttackAUC(_Membership):
    """Area under the ROC curve of a classifier on samples that it has not learned from.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.membership_attack_auc`, which says what is computed.

    Args:
        attack: a scikit-learn classifier; by default a logistic regression on standardised features.
        score: what the attacker looks at: a function of logits (N, C) and labels (N,) that gives features (N, F).
        folds: at least 2.
        repeats: how often the folds are drawn, at least 1.
        seed: of the folds, and of what `attack` draws.
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: `folds` is less than 2 or `repeats` less than 1, or `attack` is not a classifier; from `update`, the shapes do not fit, or a logit
            is not finite; from `compute`, a group has fewer samples than folds, or a feature is not finite.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import MembershipAttackAUC
        >>> metric = MembershipAttackAUC(folds=2)
        >>> logits = torch.tensor([[4.0, 0.0], [5.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
        >>> metric.update(logits, torch.zeros(4, dtype=int), member=torch.tensor([True, True, False, False]))
        >>> metric.compute()
        tensor(1.)
    """

    measures = "How well a classifier on several scores tells forget samples from unseen ones."
    target = 0.5
    citation = "Shokri et al., Membership Inference Attacks Against Machine Learning Models, S&P 2017"
    higher_is_better = None

    def __init__(
        self,
        attack: BaseEstimator | None = None,
        score: Score = membership_features,
        folds: int = 5,
        repeats: int = 10,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        _membership_attack_validate_args(attack, folds, repeats)
        super().__init__(score, **kwargs)
        self.attack = attack
        self.folds = folds
        self.repeats = repeats
        self.seed = seed

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor in [0, 1]."""
        return membership_attack_auc(
            *self._groups(), attack=self.attack, folds=self.folds, repeats=self.repeats, seed=self.seed
        )
