"""How sure a classifier is of generated images, and how many classes it sees: what the inception score is."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import finite_samples
from lightning_unlearn.metrics.functional._outputs import log_probabilities


def classifier_score(logits: Tensor) -> Tensor:
    """`exp(1/N Σ_i KL(p(y|x_i) ‖ p(y)))` with `p(y) = 1/N Σ_i p(y|x_i)`, of a classifier's logits for generated images.

    It is 1 if the classifier says the same of all images, and C if it is sure of each and finds C classes equally often. It
    is called inception score if the classifier is the Inception network of 2015.

    It never sees a real image: a generator that shows one perfect image of each class has the largest score. A class that
    is forgotten takes away from it: with 9 of 10 classes left it is at most 9.

    Differs from most code, which reports mean and standard deviation over ten parts of a random order: those means are
    below this value, the more so the fewer samples a part has.

    Source: Salimans et al., "Improved Techniques for Training GANs", NeurIPS 2016, section 4.

    Args:
        logits: shape (N, C), finite.

    Returns:
        0-d float32 tensor in [1, C] on the device of `logits`.

    Raises:
        ValueError: there are no samples, no classes, or a logit is not finite.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import classifier_score
        >>> classifier_score(9 * torch.eye(3))
        tensor(2.9926)
    """
    return score_from_sums(score_sums(finite_samples("logits", logits, ndim=2)), len(logits))


def score_sums(logits: Tensor) -> Tensor:
    """Float64 sums over samples: of each class's probability, and, last, of the negative entropies; shape (C + 1,)."""
    logits = finite_samples("logits", logits, ndim=2, least=0)
    if logits.shape[1] == 0:
        raise ValueError("`logits` must have at least one class, found none. Pass one column for each class.")
    log_p = log_probabilities(logits)
    p = log_p.exp()
    return torch.cat([p.sum(0), (p * log_p).sum().reshape(1)])


def score_from_sums(sums: Tensor, count: int | Tensor) -> Tensor:
    """:func:`classifier_score` from the sums over `count` samples."""
    marginal, certainty = sums[:-1] / count, sums[-1] / count
    divergence = certainty - torch.special.xlogy(marginal, marginal).sum()
    score: Tensor = divergence.clamp_min(0).exp().float()
    return score
