"""How well one threshold on a score tells members from non-members."""

from __future__ import annotations

import torch
from sklearn.metrics import roc_curve
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import finite_samples


def membership_auc(member_scores: Tensor, nonmember_scores: Tensor) -> Tensor:
    """Area under the ROC curve: probability that a member scores higher than a non-member, ties counting one half.

    For unlearning the members are the forget set, and the non-members unseen data of the same kind. Below 0.5 the forget
    set looks *less* familiar than unseen data, which gives it away as well.

    Source: the threshold attack of Yeom et al., CSF 2018, over all thresholds.

    Args:
        member_scores: shape (N,), larger where a sample looks like a member; see :func:`log_likelihood` and the others.
        nonmember_scores: shape (M,).

    Returns:
        0-d float32 tensor in [0, 1] on the device of `member_scores`; 0.5 is chance.

    Raises:
        ValueError: a group is empty or not one-dimensional, or a score is not finite.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import membership_auc
        >>> membership_auc(torch.tensor([2.0, 1.0]), torch.tensor([1.0, 0.0]))
        tensor(0.8750)
    """
    members, others = _both(member_scores, nonmember_scores)
    others = others.sort().values
    below, not_above = (torch.searchsorted(others, members, right=right) for right in (False, True))
    return ((below + not_above).double().mean() / (2 * len(others))).float()


def membership_advantage(member_scores: Tensor, nonmember_scores: Tensor) -> Tensor:
    """Largest difference of true and false positive rate over all thresholds: the Kolmogorov–Smirnov distance, one-sided.

    0 if no threshold tells members from others, 1 if one tells them apart without a fault. The threshold is chosen on the
    same samples, so that chance gives about `0.6 √(1/N + 1/M)`: read it beside the reference's, or with an interval.

    Source: Yeom et al., CSF 2018, definition 4.

    Args and errors are those of :func:`membership_auc`.

    Returns:
        0-d float32 tensor in [0, 1].

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import membership_advantage
        >>> membership_advantage(torch.tensor([3.0, 2.0, 0.0]), torch.tensor([1.0, 0.0, 0.0]))
        tensor(0.6667)
    """
    false, true = _rates(member_scores, nonmember_scores)
    return (true - false).max().float()


def membership_tpr(member_scores: Tensor, nonmember_scores: Tensor, *, fpr: float = 0.01) -> Tensor:
    """Share of members found by the best threshold that takes at most a share `fpr` of the non-members for members.

    An attack that is no better than chance on average may still be sure of a few samples: that is what this shows.
    Nothing is interpolated, so that with fewer than `1 / fpr` non-members no mistake at all is allowed.

    Source: Carlini et al., "Membership Inference Attacks From First Principles", S&P 2022.

    Args:
        member_scores: see :func:`membership_auc`.
        nonmember_scores: see :func:`membership_auc`.
        fpr: false positive rate in [0, 1]; usual are 0.01 and 0.001.

    Returns:
        0-d float32 tensor in [0, 1] on the device of `member_scores`; `fpr` is chance.

    Raises:
        ValueError: as :func:`membership_auc`, or `fpr` is not a number between 0 and 1.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import membership_tpr
        >>> membership_tpr(torch.tensor([3.0, 2.0, 0.0]), torch.tensor([2.5, 1.0, 0.0, 0.0]), fpr=0.25)
        tensor(0.6667)
    """
    _membership_tpr_validate_args(fpr)
    false, true = _rates(member_scores, nonmember_scores)
    return true[false <= fpr].max().float()


def _membership_tpr_validate_args(fpr: object) -> None:
    if isinstance(fpr, bool) or not isinstance(fpr, (int, float)) or not 0 <= fpr <= 1:
        raise ValueError(f"`fpr` must be a number between 0 and 1, found {fpr!r}.")


def _both(member_scores: Tensor, nonmember_scores: Tensor) -> tuple[Tensor, Tensor]:
    members = finite_samples("member_scores", member_scores)
    return members, finite_samples("nonmember_scores", nonmember_scores).to(members.device)


def _rates(member_scores: Tensor, nonmember_scores: Tensor) -> tuple[Tensor, Tensor]:
    """False and true positive rates over all thresholds, both from 0 to 1."""
    members, others = _both(member_scores, nonmember_scores)
    truth = torch.cat([torch.ones_like(members), torch.zeros_like(others)])
    false, true, _ = roc_curve(truth.cpu(), torch.cat([members, others]).cpu(), drop_intermediate=False)
    return torch.as_tensor(false, device=members.device), torch.as_tensor(true, device=members.device)
