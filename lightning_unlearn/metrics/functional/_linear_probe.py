"""What a linear classifier still finds of a forgotten class in a model's features."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import finite_samples
from lightning_unlearn.metrics.functional._membership import _membership_validate_args


def linear_probe_accuracy(features: Tensor, forgotten: Tensor, *, folds: int = 5, seed: int = 0) -> Tensor:
    """Balanced accuracy of a linear classifier that tells the forgotten class's features from the rest's.

    A model that never predicts a class may still set it apart in its last hidden layer, from where one linear layer brings
    it back. The probe is a logistic regression (L2 penalty `½‖w‖²`, classes weighing the same, intercept free) on features
    standardised within each training fold; the mean over stratified folds of the mean of both classes' recall is returned.
    Features that carry no information give 0.5. The result does not depend on the order of the samples.

    Features of a class that was never trained on are usually separable as well, the more so the more there are: read the
    number beside that of a retrained model.

    Source: the probe of Alain and Bengio, "Understanding Intermediate Layers Using Linear Classifier Probes", ICLR 2017
    workshop.

    Args:
        features: shape (N, D), finite.
        forgotten: bool tensor of shape (N,): true for samples of the forgotten class, false for the others.
        folds: number of cross-validation folds, at least 2.
        seed: of the folds.

    Returns:
        0-d float32 tensor in [0, 1] on the device of `features`.

    Raises:
        ValueError: a feature is not finite, the shapes do not fit, a group has fewer samples than folds, or `folds` is
            less than 2.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import linear_probe_accuracy
        >>> forgotten = torch.arange(40) < 10
        >>> linear_probe_accuracy(torch.stack([forgotten.float(), torch.linspace(0, 1, 40)], dim=1), forgotten)
        tensor(1.)
        >>> linear_probe_accuracy(torch.ones(40, 3), forgotten)
        tensor(0.5000)
    """
    _membership_validate_args(folds)
    values = _linear_probe_validate(features, forgotten).cpu().numpy()
    labels = forgotten.detach().bool().cpu().numpy()
    for name, count in (("forgotten", labels.sum()), ("other", (~labels).sum())):
        if count < folds:
            raise ValueError(
                f"`forgotten` must mark at least as many samples as `folds` ({folds}) on either side, found {count} "
                f"{name} samples. Pass more samples or fewer folds."
            )
    order = sorted(range(len(values)), key=lambda row: (labels[row], values[row].tobytes()))
    probe = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", tol=1e-6, max_iter=10_000)
    )
    accuracies = cross_val_score(
        probe,
        values[order],
        labels[order].astype(np.int64),
        cv=StratifiedKFold(folds, shuffle=True, random_state=seed),
        scoring="balanced_accuracy",
        error_score="raise",
    )
    return torch.tensor(accuracies.mean(), dtype=torch.float32, device=features.device)


def _linear_probe_validate(features: Tensor, forgotten: Tensor) -> Tensor:
    values = finite_samples("features", features, ndim=2, least=0)
    if values.shape[1] == 0:
        raise ValueError("`features` must have at least one column, found none. Pass one for each feature.")
    if forgotten.shape != values.shape[:1] or forgotten.is_floating_point():
        raise ValueError(
            f"`forgotten` must be a bool tensor of shape ({len(values)},), found {forgotten.dtype} of shape "
            f"{tuple(forgotten.shape)}. Pass one flag for each sample."
        )
    return values
