"""The score of the NeurIPS 2023 machine unlearning challenge."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import model_outputs, two_populations

_BIN_WIDTH = 0.5
_BINS = 13


def unlearning_epsilons(unlearned_gaps: Tensor, retrained_gaps: Tensor, *, delta: float = 1e-5) -> Tensor:
    """How well the best threshold on a sample's output tells unlearned from retrained models, as ε of (ε, δ)-unlearning.

    An attack takes a model for unlearned if the output is at least a threshold, or if it is below; all thresholds are
    tried, both ways. With its error rates `ε̂ = max(log((1−δ−FPR) / FNR), log((1−δ−FNR) / FPR))`; a term whose logarithm is
    not defined does not count. Both rates 0 is ε̂ = ∞; an attack with exactly one rate 0 is discarded, as one that has seen
    too few models. ε is the largest of the ε̂ and 0; it is 0 if no attack is left.

    Unlearned models that all give exactly one number amid the retrained ones have ε = 0: every attack has a rate of 0, and is
    discarded. The least spread around that number ends it, and ε is about `log(M/2)`. The challenge's code also tries
    intervals, and sets ε to 50 where one set's range is less than 1 % of the other's; its thresholds lie on a grid and are
    tried one way, that of the larger median.

    Source: Triantafillou et al., "Are We Making Progress in Unlearning? Findings from the First NeurIPS Unlearning
    Competition", 2024.

    Args:
        unlearned_gaps: shape (M, S): logit gaps of each unlearned model for each forget sample, see :func:`logit_gap`.
        retrained_gaps: shape (K, S): of models trained without the forget set.
        delta: in [0, 1).

    Returns:
        float64 tensor of shape (S,) in [0, ∞]; finite values are below `log(max(M, K))`.

    Raises:
        ValueError: a set has no models or no samples, the samples are not the same, a gap is not finite, or `delta` is out
            of range.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import unlearning_epsilons
        >>> unlearned, retrained = torch.tensor([[1.0], [3.0], [4.0]]), torch.tensor([[0.0], [0.5], [3.5]])
        >>> unlearning_epsilons(unlearned, retrained, delta=0)
        tensor([0.6931], dtype=torch.float64)
    """
    _delta_validate_args(delta)
    unlearned, retrained = two_populations("unlearned_gaps", unlearned_gaps, "retrained_gaps", retrained_gaps)
    thresholds = torch.cat([unlearned, retrained]).T.contiguous()
    below_u, below_r = (
        torch.searchsorted(gaps.T.contiguous().sort().values, thresholds).double()
        for gaps in (unlearned, retrained)
    )
    m, k = len(unlearned), len(retrained)
    at_least = _epsilon(false=(k - below_r) / k, missed=below_u / m, delta=delta)
    below = _epsilon(false=below_r / k, missed=(m - below_u) / m, delta=delta)
    return torch.maximum(at_least, below).amax(1).clamp_min(0)


def forgetting_quality(unlearned_gaps: Tensor, retrained_gaps: Tensor, *, delta: float = 1e-5) -> Tensor:
    """Mean over forget samples of `H = 2 / 2^n`, where n is the number of the bin that the sample's ε is in.

    The bins are [0, 0.5), [0.5, 1), ..., [6, 6.5), numbered from 1 to 13, and ε of 6.5 or more counts in the last. The
    challenge's code has as many bins as fit below `⌈log(models − 1)⌉`, and gives 0 beyond them.

    More is not better: the largest of many noisy ε̂ is far from 0, so that retrained models against others of their kind get
    about 0.22 with 32 or more of each, 0.28 with 8, 0.37 with 4; read it beside that number from as many models.

    Arguments and errors are those of :func:`unlearning_epsilons`.

    Returns:
        0-d float32 tensor in [2⁻¹², 1] on the device of `unlearned_gaps`.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import forgetting_quality
        >>> unlearned, retrained = torch.tensor([[1.0], [3.0], [4.0]]), torch.tensor([[0.0], [0.5], [3.5]])
        >>> forgetting_quality(unlearned, retrained)
        tensor(0.5000)
    """
    return _quality(unlearning_epsilons(unlearned_gaps, retrained_gaps, delta=delta)).float()


def unlearning_competition_score(
    unlearned_gaps: Tensor,
    retrained_gaps: Tensor,
    unlearned_accuracies: Tensor,
    retrained_accuracies: Tensor,
    *,
    delta: float = 1e-5,
) -> Tensor:
    """`F · (RA_u / RA_r) · (TA_u / TA_r)`: forgetting quality times what is left of retain and of test accuracy.

    Each accuracy is the mean over models. The challenge also gave 0 to a method that took more than about a fifth of the
    time of retraining, which is not looked at here. Source, other arguments and errors: see :func:`unlearning_epsilons`.

    Args:
        unlearned_gaps: shape (M, S).
        retrained_gaps: shape (K, S).
        unlearned_accuracies: shape (M, 2): of each unlearned model on the retain and on the test set, in [0, 1].
        retrained_accuracies: shape (K, 2): the same of retrained models; their means must be positive.
        delta: in [0, 1).

    Returns:
        0-d float32 tensor, not negative; about 0.22, not 1, for retrained models, as :func:`forgetting_quality` says.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import unlearning_competition_score
        >>> unlearned, retrained = torch.tensor([[1.0], [3.0], [4.0]]), torch.tensor([[0.0], [0.5], [3.5]])
        >>> unlearning_competition_score(unlearned, retrained, torch.tensor([[0.9, 0.8]]), torch.tensor([[1.0, 0.8]]))
        tensor(0.4500)
    """
    epsilons = unlearning_epsilons(unlearned_gaps, retrained_gaps, delta=delta)
    kept = _mean_accuracies("unlearned_accuracies", unlearned_accuracies).to(epsilons.device)
    full = _mean_accuracies("retrained_accuracies", retrained_accuracies).to(epsilons.device)
    if not (full > 0).all():
        raise ValueError(
            f"`retrained_accuracies` must have positive means, found {full.tolist()}. Check the retrained models."
        )
    return (_quality(epsilons) * (kept / full).prod()).float()


def _quality(epsilons: Tensor) -> Tensor:
    return torch.exp2(-(epsilons / _BIN_WIDTH).floor().clamp_max(_BINS - 1)).mean()


def _epsilon(*, false: Tensor, missed: Tensor, delta: float) -> Tensor:
    """ε̂ of attacks with these rates; −∞ for those that are discarded."""
    terms = torch.stack([(1 - delta - false) / missed, (1 - delta - missed) / false])
    # log 0 and the log of what is negative do not count
    best = terms.nan_to_num(nan=0.0).clamp_min(0).amax(0).log()
    best = best.where((false > 0) & (missed > 0), -torch.inf)
    return best.where((false > 0) | (missed > 0), torch.inf)


def _mean_accuracies(name: str, accuracies: Tensor) -> Tensor:
    values = model_outputs(name, accuracies)
    if values.shape[1] != 2 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(
            f"`{name}` must have the shape (M, 2) and be between 0 and 1, found {tuple(values.shape)} between "
            f"{values.min():g} and {values.max():g}. Pass retain and test accuracy of each model, as shares."
        )
    return values.mean(0)


def _delta_validate_args(delta: object) -> None:
    if isinstance(delta, bool) or not isinstance(delta, (int, float)) or not 0 <= delta < 1:
        raise ValueError(f"`delta` must be a number of at least 0 and below 1, found {delta!r}.")
