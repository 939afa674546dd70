"""An attack that never asks the model: what it tells apart, no model needs to have learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.stats import mannwhitneyu
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.utils import _pytree as pytree

from lightning_unlearn.audit._statistics import Array

INPUTS = "(inputs)"  # where a table of features keeps them, beside the models
_DIRECTIONS = 128
_FOLDS = 5
LEAST = 2 * _FOLDS  # samples of either group


def sketched(batch: Any, count: int) -> Array | None:
    """The first tensor of numbers in a batch, a row for each sample, in random directions; `None` if there is none."""
    for leaf in pytree.tree_leaves(batch):
        if isinstance(leaf, Tensor) and not leaf.is_complex() and leaf.ndim > 1 and len(leaf) == count:
            rows = leaf.detach().float().cpu().flatten(1)
            if rows.shape[1] > _DIRECTIONS:
                generator = torch.Generator().manual_seed(0)
                rows = rows @ torch.randn(rows.shape[1], _DIRECTIONS, generator=generator)
            return np.asarray(rows.nan_to_num(0.0, 0.0, 0.0).numpy())
    return None


def blind_attack(forget: Array, unseen: Array, *, seed: int = 0) -> tuple[float, float]:
    """Whether inputs alone tell the forget set from unseen samples: then they are not of one kind.

    A logistic regression on the inputs (in 128 random directions), scored on the fifths that it was not fitted to; its area
    under the ROC curve and the p-value of Mann and Whitney. It finds differences of a linear kind: that it finds none does
    not show that there is none.

    Source: Das et al., "Blind Baselines Beat Membership Inference Attacks for Foundation Models", 2024,
    https://arxiv.org/abs/2406.16201.

    Args:
        forget: shape (N, D), N at least `LEAST`.
        unseen: shape (M, D), M at least `LEAST`.
        seed: of the fifths.

    Returns:
        Area and p-value.

    Example:
        >>> import numpy as np
        >>> from lightning_unlearn.audit._blind import blind_attack
        >>> noise = np.random.default_rng(0).normal(size=(200, 3))
        >>> area, p_value = blind_attack(noise[:100] + 1, noise[100:])
        >>> bool(area > 0.8), bool(p_value < 1e-6)
        (True, True)
    """
    both = np.concatenate([forget, unseen])
    member = np.arange(len(both)) < len(forget)
    attack = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000)
    )
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    scores = cross_val_predict(attack, both, member, cv=folds, method="decision_function")
    found = mannwhitneyu(scores[member], scores[~member], alternative="greater")
    return float(found.statistic / (len(forget) * len(unseen))), float(found.pvalue)
