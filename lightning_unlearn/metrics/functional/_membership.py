"""Can an attacker tell, from the loss alone, what a model was trained on?"""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor


def membership_inference_accuracy(
    member_losses: Tensor, nonmember_losses: Tensor, *, folds: int = 5, seed: int = 0
) -> Tensor:
    """Accuracy of a logistic regression that guesses from a sample's loss whether the sample was trained on.

    For unlearning: the members are the forget set and the others are unseen data of the same kind. A model that
    has forgotten gives about 0.5; clearly more means that the forget set is still remembered, or that its loss
    was driven so high that this gives it away.

    The larger group is subsampled to the size of the smaller one; accuracies are averaged over stratified folds,
    each class weighing the same, so that losses that carry no information give exactly 0.5. Losses are
    standardised within each training fold: the published attack leaves them as they are, and its solver then stops
    before it has separated losses as small as those of a model that fits its data. The result does not depend on
    the order of the losses.

    Source: the simple membership-inference attack of Kurmanji et al., "Towards Unbounded Machine Unlearning",
    NeurIPS 2023, https://arxiv.org/abs/2302.09880.

    Args:
        member_losses: Losses of shape (N,), finite, of any real dtype.
        nonmember_losses: Losses of shape (M,), finite, of any real dtype.
        folds: Number of cross-validation folds, at least 2.
        seed: Seed of the subsampling and of the folds.

    Returns:
        0-d float tensor in [0, 1] on the device of `member_losses`.

    Raises:
        ValueError: A loss is not finite, a group is not one-dimensional or has fewer samples than folds, or
            `folds` is less than 2.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import membership_inference_accuracy
        >>> losses = torch.linspace(0, 1, 50)
        >>> membership_inference_accuracy(losses, losses + 2)
        tensor(1.)
        >>> membership_inference_accuracy(torch.ones(50), torch.ones(70))
        tensor(0.5000)
    """
    _membership_validate_args(folds)
    groups = {"member_losses": member_losses, "nonmember_losses": nonmember_losses}
    for name, losses in groups.items():
        _membership_validate_losses(name, losses, folds)
    generator = np.random.default_rng(seed)
    size = min(len(losses) for losses in groups.values())
    values = [
        generator.choice(
            losses.detach().cpu().double().sort().values.numpy(), size, replace=False, shuffle=False
        )
        for losses in groups.values()
    ]
    attack = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    accuracies = cross_val_score(
        attack,
        np.concatenate(values)[:, None],
        np.repeat([1, 0], size),
        cv=StratifiedKFold(folds, shuffle=True, random_state=seed),
        scoring="balanced_accuracy",
        error_score="raise",
    )
    return torch.tensor(accuracies.mean(), dtype=torch.float32, device=member_losses.device)


def _membership_validate_args(folds: object) -> None:
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise ValueError(f"`folds` must be an integer of at least 2, found {folds!r}.")


def _membership_validate_losses(name: str, losses: Tensor, folds: int) -> None:
    if losses.ndim != 1:
        raise ValueError(
            f"`{name}` must have the shape (N,), found {tuple(losses.shape)}. Pass one loss for each sample."
        )
    if len(losses) < folds:
        raise ValueError(
            f"`{name}` must hold at least as many samples as `folds` ({folds}), found {len(losses)}. "
            "Pass more samples or fewer folds."
        )
    finite = int(losses.isfinite().sum())
    if finite < len(losses):
        raise ValueError(
            f"`{name}` must be finite, found {len(losses) - finite} of {len(losses)} that are not. "
            "Compute the losses in float32, or clamp them."
        )
