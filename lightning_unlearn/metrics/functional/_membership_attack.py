"""How well a classifier that learns from several scores tells members from non-members."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import finite_samples, whole_number
from lightning_unlearn.metrics.functional._membership_scores import (
    correctness,
    log_likelihood,
    logit_gap,
    negative_entropy,
    negative_modified_entropy,
)


def membership_features(logits: Tensor, labels: Tensor) -> Tensor:
    """Five scores of each sample: log-likelihood, logit gap, negative entropy, its modified form, correctness.

    Arguments and errors are those of :func:`log_likelihood`.

    Returns:
        float64 tensor of shape (N, 5); the second column is infinite where there is only one class.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import membership_features
        >>> membership_features(torch.zeros(1, 2), torch.tensor([0]))
        tensor([[-0.6931,  0.0000, -0.6931, -0.6931,  1.0000]], dtype=torch.float64)
    """
    scores = (log_likelihood, logit_gap, negative_entropy, negative_modified_entropy, correctness)
    return torch.stack([score(logits, labels) for score in scores], dim=1)


def membership_attack_auc(
    member_features: Tensor,
    nonmember_features: Tensor,
    *,
    attack: BaseEstimator | None = None,
    folds: int = 5,
    repeats: int = 10,
    seed: int = 0,
) -> Tensor:
    """Area under the ROC curve of a classifier on samples that it has not learned from.

    The classifier is fitted on all folds but one, and the area is that of its scores on the left-out fold; the mean over
    the folds is returned. Code that joins the scores of all folds into one curve compares scores of different
    fits, and finds less than 0.5 on average where there is nothing to find (Forman and Scholz, "Apples-to-Apples in
    Cross-Validation Studies", SIGKDD Explorations 2010). The folds are stratified and drawn by `seed` from the sorted rows,
    so that the order of the samples does not matter; they are drawn several times, since those of one drawing hold the same
    ranks whatever the scores are, which favours one outcome.

    Source: an attack model on what a model says of a sample, Shokri et al., S&P 2017; several scores at once as in Murakonda
    and Shokri, "ML Privacy Meter", 2020.

    Args:
        member_features: shape (N, F), finite: F scores of each sample of the forget set; see :func:`membership_features`.
        nonmember_features: shape (M, F), the same of unseen samples of the same kind.
        attack: a scikit-learn classifier, left as it is; what it draws at random it draws by `seed`, unless it has a
            `random_state`; must have `decision_function` or `predict_proba`. The default is a logistic regression on
            standardised features, each group weighing the same.
        folds: at least 2.
        repeats: how often the folds are drawn, at least 1; the classifier is fitted `folds × repeats` times.
        seed: of the folds.

    Returns:
        0-d float32 tensor in [0, 1] on the device of `member_features`; 0.5 is chance, below it is chance as well.

    Raises:
        ValueError: a group has fewer samples than folds, the shapes do not fit, a feature is not finite, `folds` is less
            than 2 or `repeats` less than 1, or `attack` is not a classifier that gives scores.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import membership_attack_auc
        >>> features = torch.linspace(0, 1, 40).reshape(20, 2)
        >>> membership_attack_auc(features + 2, features)
        tensor(1.)
    """
    _membership_attack_validate_args(attack, folds, repeats)
    groups = {"member_features": member_features, "nonmember_features": nonmember_features}
    rows = [finite_samples(name, part, ndim=2, least=folds).cpu().numpy() for name, part in groups.items()]
    if rows[0].shape[1] != rows[1].shape[1] or rows[0].shape[1] == 0:
        raise ValueError(
            "`member_features` and `nonmember_features` must have the same number of columns, at least 1, found "
            f"{rows[0].shape[1]} and {rows[1].shape[1]}. Pass the same scores of both groups."
        )
    areas = cross_val_score(
        _seeded(_default() if attack is None else attack, seed),
        np.concatenate([_sorted(part) for part in rows]),
        np.repeat([1, 0], [len(part) for part in rows]),
        cv=RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed),
        scoring="roc_auc",
        error_score="raise",
    )
    return torch.tensor(areas.mean(), dtype=torch.float32, device=member_features.device)


def _membership_attack_validate_args(attack: object, folds: object, repeats: object) -> None:
    whole_number("folds", folds, least=2)
    whole_number("repeats", repeats, least=1)
    scores = hasattr(attack, "decision_function") or hasattr(attack, "predict_proba")
    if attack is not None and not (isinstance(attack, BaseEstimator) and is_classifier(attack) and scores):
        raise ValueError(
            "`attack` must be a scikit-learn classifier with `decision_function` or `predict_proba`, found "
            f"{attack!r}. Leave it out for a logistic regression."
        )


def _default() -> BaseEstimator:
    # a Newton solver: the usual one stops so early that scores close to each other are in the wrong order
    regression = LogisticRegression(class_weight="balanced", solver="newton-cholesky", tol=1e-8)
    return make_pipeline(StandardScaler(), regression)


def _seeded(attack: BaseEstimator, seed: int) -> BaseEstimator:
    """A copy that does not draw from NumPy's global stream."""
    attack = clone(attack)
    unset = [
        name
        for name, value in attack.get_params().items()
        if name.split("__")[-1] == "random_state" and value is None
    ]
    return attack.set_params(**dict.fromkeys(unset, seed))


def _sorted(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.lexsort(values.T[::-1])]
