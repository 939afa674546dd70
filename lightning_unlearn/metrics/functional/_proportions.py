"""A share of samples: its interval, and whether it is below what it was in the training data."""

from __future__ import annotations

import torch
from scipy.stats import binomtest
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import finite_samples, level_between_0_and_1, whole_number


def class_fraction(logits: Tensor, forget_class: int) -> Tensor:
    """Share of samples that a classifier assigns to one class: of generated images, how much of a class is left.

    The classifier must be none that the generator was trained with: a generator learns to please the one that it is
    shown. A model that was retrained without the class does not have 0 but what the classifier takes for it, of images
    that are unclear or of other classes; look at the share of *real* retained images that it takes for it.

    Of equal logits the first counts. See :func:`proportion_interval` and :func:`prior_test`.

    Source: Fan et al., "SalUn", ICLR 2024; there, `UA` is 100 times `1 −` this.

    Args:
        logits: shape (N, C), finite.
        forget_class: index of the class, from 0 to C − 1.

    Returns:
        0-d float32 tensor in [0, 1] on the device of `logits`.

    Raises:
        ValueError: there are no samples, a logit is not finite, or there is no such class.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import class_fraction
        >>> class_fraction(torch.eye(4), forget_class=1)
        tensor(0.2500)
    """
    return finite_samples("logits", is_of_class(logits, forget_class).double()).mean().float()


def is_of_class(logits: Tensor, forget_class: int) -> Tensor:
    """Whether each sample is assigned to the class, bool tensor of shape (N,)."""
    logits = finite_samples("logits", logits, ndim=2, least=0)
    whole_number("forget_class", forget_class, least=0)
    if forget_class >= logits.shape[1]:
        raise ValueError(
            f"`forget_class` must be between 0 and {logits.shape[1] - 1}, found {forget_class}. Pass a class index of the "
            "classifier."
        )
    return logits.argmax(1) == forget_class


def proportion_interval(hits: int, trials: int, *, level: float = 0.95) -> tuple[Tensor, Tensor]:
    """Clopper–Pearson interval of a share: it holds the true share at least as often as `level` says, for any of them.

    That is `scipy.stats.binomtest(hits, trials).proportion_ci(level, "exact")`. For no hits among N it ends at about `3.7/N`
    (level 0.95): nothing seen is not nothing there.

    Source: Clopper and Pearson, "The Use of Confidence or Fiducial Limits", Biometrika 1934.

    Args:
        hits: how many samples are of the class, from 0 to `trials`.
        trials: how many samples there are, at least 1; independent of one another.
        level: between 0 and 1.

    Returns:
        Lower and upper bound, 0-d float32 tensors in [0, 1].

    Raises:
        ValueError: the counts or the level are out of range.

    Example:
        >>> from lightning_unlearn.metrics.functional import proportion_interval
        >>> proportion_interval(0, 100)
        (tensor(0.), tensor(0.0362))
    """
    _counts(hits, trials)
    level_between_0_and_1(level)
    low, high = binomtest(hits, trials).proportion_ci(level, "exact")
    return torch.tensor(low, dtype=torch.float32), torch.tensor(high, dtype=torch.float32)


def prior_test(hits: int, trials: int, prior: float) -> tuple[Tensor, Tensor]:
    """How a share compares with the class's share of the training data, and the exact binomial test that it is below.

    The null is a generator that makes the class at least as often as it occurred in the data: `P(X ≤ hits)` for
    `X ~ Binomial(trials, prior)`. A small value says that there is *less* of the class, not that there is none of it; a
    generator that never made the class as often as the data has it is below before it has forgotten anything, so that the
    original's ratio belongs beside it.

    Source: `scipy.stats.binomtest(hits, trials, prior, alternative="less")`.

    Args:
        hits: how many generated samples are of the class, from 0 to `trials`.
        trials: how many generated samples there are, at least 1; independent of one another.
        prior: share of the class in the training data, between 0 and 1.

    Returns:
        The ratio of the shares, 0-d float32, and the p-value, 0-d float64.

    Raises:
        ValueError: the counts or the prior are out of range.

    Example:
        >>> from lightning_unlearn.metrics.functional import prior_test
        >>> prior_test(5, 100, prior=0.1)
        (tensor(0.5000), tensor(0.0576, dtype=torch.float64))
    """
    _counts(hits, trials)
    if not 0 < prior < 1:
        raise ValueError(
            f"`prior` must be between 0 and 1, found {prior}. Pass the share of the class in the training data."
        )
    p_value = binomtest(hits, trials, prior, alternative="less").pvalue
    return (
        torch.tensor(hits / trials / prior, dtype=torch.float32),
        torch.tensor(p_value, dtype=torch.float64),
    )


def _counts(hits: object, trials: object) -> None:
    whole_number("trials", trials, least=1)
    whole_number("hits", hits, least=0)
    if hits > trials:  # type: ignore[operator]  # both are integers by now
        raise ValueError(f"`hits` must be at most `trials` ({trials}), found {hits}. Pass counts of samples.")
