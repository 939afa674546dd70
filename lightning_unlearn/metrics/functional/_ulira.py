"""U-LiRA: the per-example likelihood-ratio attack on unlearned models."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import model_outputs, same_samples, two_populations
from lightning_unlearn.metrics.functional._moments import mean_and_variance


def ulira_scores(
    victim_gaps: Tensor,
    unlearned_gaps: Tensor,
    never_trained_gaps: Tensor,
    *,
    shared_variance: bool = False,
) -> Tensor:
    """Probability that a sample was trained on and unlearned rather than never trained on, from the victim's output.

    For each sample a normal is fitted to the logit gaps `g = log(p_y / (1 − p_y))` of models that unlearned it, another
    one to those of models that never saw it; then `score = N_u(g) / (N_u(g) + N_n(g))` for the victim's gap. Densities are
    compared by their logarithms, so that a victim far from both is no 0/0. Without spread in one set, an output that
    equals its mean is surely of it and any other surely not; without spread in both the nearer mean decides.

    Source: Hayes et al., "Inexact Unlearning Needs More Careful Evaluations to Avoid a False Sense of Privacy", 2024,
    after Carlini et al., S&P 2022. deepunlearn's implementation takes whether the prediction is right (0 or 1) for the
    gap, which is far from normal and often has no spread; numbers are not comparable. Others divide densities, and
    variances by the number of models; here by one less.

    Args:
        victim_gaps: shape (S,), or (V, S) for several victims; see :func:`logit_gap`.
        unlearned_gaps: shape (M, S), M at least 2, without the victims.
        never_trained_gaps: shape (K, S), K at least 2, without the victims.
        shared_variance: take one variance of each set for all samples, the mean of theirs: better for less than about
            64 models, as Carlini et al. advise.

    Returns:
        float64 tensor in [0, 1] of the shape of `victim_gaps`.

    Raises:
        ValueError: shapes do not fit, there are too few models, or a gap is not finite.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import ulira_scores
        >>> unlearned, never = torch.tensor([[3.0], [5.0]]), torch.tensor([[-1.0], [1.0]])
        >>> ulira_scores(torch.tensor([2.0]), unlearned, never), ulira_scores(torch.tensor([2.5]), unlearned, never)
        (tensor([0.5000], dtype=torch.float64), tensor([0.7311], dtype=torch.float64))
    """
    unlearned, never = two_populations(
        "unlearned_gaps", unlearned_gaps, "never_trained_gaps", never_trained_gaps, least=(2, 2)
    )
    victims = model_outputs("victim_gaps", victim_gaps[None] if victim_gaps.ndim == 1 else victim_gaps)
    same_samples("victim_gaps", victims, "unlearned_gaps", unlearned)
    log_u, distance_u = _log_density(victims, unlearned.to(victims.device), shared_variance)
    log_n, distance_n = _log_density(victims, never.to(victims.device), shared_variance)
    ratio = log_u - log_n
    nearer = (1 + (distance_n - distance_u).sign()) / 2
    return ratio.sigmoid().where(~ratio.isnan(), nearer).reshape(victim_gaps.shape)


def ulira_accuracy(
    victim_gaps: Tensor,
    victim_unlearned: Tensor,
    unlearned_gaps: Tensor,
    never_trained_gaps: Tensor,
    *,
    shared_variance: bool = False,
) -> Tensor:
    """Balanced accuracy of :func:`ulira_scores` at ½: mean of the shares of either kind of victims that are recognised.

    A score of exactly ½ counts one half. All samples of all victims count alike. The victims may not be among the other
    models: an attacker fitted to them would look better, one that leaves one out each time worse than it is.

    Source: Hayes et al., 2024.

    Arguments and errors are those of :func:`ulira_scores`, and:

    Args:
        victim_gaps: shape (V, S).
        victim_unlearned: bool tensor of shape (V,): true for a model that unlearned the samples, false for one that was
            never trained on them; at least one of each.
        unlearned_gaps: shape (M, S), M at least 2.
        never_trained_gaps: shape (K, S), K at least 2.
        shared_variance: see :func:`ulira_scores`.

    Returns:
        0-d float32 tensor in [0, 1]; 0.5 is chance, and ideal.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import ulira_accuracy
        >>> unlearned, never = torch.tensor([[3.0], [5.0]]), torch.tensor([[-1.0], [1.0]])
        >>> ulira_accuracy(torch.tensor([[2.5], [1.0]]), torch.tensor([True, False]), unlearned, never)
        tensor(1.)
    """
    victims = model_outputs("victim_gaps", victim_gaps)
    if victim_unlearned.dtype != torch.bool or victim_unlearned.shape != victims.shape[:1]:
        raise ValueError(
            f"`victim_unlearned` must be a bool tensor of shape ({len(victims)},), found {victim_unlearned.dtype} of shape "
            f"{tuple(victim_unlearned.shape)}. Pass one flag for each victim."
        )
    if victim_unlearned.all() or not victim_unlearned.any():
        raise ValueError(
            "`victim_unlearned` must hold both true and false, found only one of them. Pass victims of either kind."
        )
    scores = ulira_scores(victims, unlearned_gaps, never_trained_gaps, shared_variance=shared_variance)
    guesses = (1 + (scores - 0.5).sign()) / 2
    truth = victim_unlearned.to(guesses.device)
    return ((guesses[truth].mean() + 1 - guesses[~truth].mean()) / 2).float()


def _log_density(victims: Tensor, models: Tensor, shared_variance: bool) -> tuple[Tensor, Tensor]:
    """Logarithm of the normal density of the models at the victims, but for a constant, and the distance squared."""
    mean, variance = mean_and_variance(models)
    if shared_variance:
        variance = variance.mean().expand_as(variance)
    distance = (victims - mean).square()
    spread = -(variance.log() + distance / variance) / 2
    point = torch.where(distance == 0, torch.inf, -torch.inf).to(spread.dtype)
    return spread.where(variance > 0, point), distance
