"""Tests whose false-alarm rate is known, and the correction for doing several of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, t

Array: TypeAlias = NDArray[np.float64]
Alternative: TypeAlias = Literal["greater", "less", "two-sided"]

_AT_ONCE = 100  # permutations in memory


def outlier_test(
    value: float, references: Sequence[float], alternative: Alternative, *, resolution: float = 0.0
) -> tuple[float, float]:
    """Whether a model's number could be that of one more reference.

    `t = (x − mean) / √((s² + resolution²) (1 + 1/k))` has Student's distribution with `k − 1` degrees of freedom if
    numbers of models with different seeds are normal. With few references only far outliers are found: at a level of 1 %,
    two-sided, `|t|` must reach 64 with two references, 9.9 with three, 4.6 with five.

    Source: the prediction interval for one more observation, as in Hahn and Meeker, "Statistical Intervals", 1991, 4.8.

    Args:
        value: the model's number.
        references: those of k references, at least two.
        alternative: in which direction an outlier counts.
        resolution: a standard deviation too small to matter, in the unit of `value`, which is added to that of the seeds.

    Returns:
        `t` and the p-value. Equal references without `resolution` give 0 and 1 if the value equals them as well, otherwise
        an infinite `t` and 0.

    Example:
        >>> from lightning_unlearn.audit._statistics import outlier_test
        >>> statistic, p_value = outlier_test(3.0, [0.1, -0.1, 0.0], "greater")
        >>> round(statistic, 1), round(p_value, 4)
        (26.0, 0.0007)
    """
    numbers = np.asarray(references, dtype=np.float64)
    distance = value - numbers.mean()
    scale = np.sqrt((numbers.var(ddof=1) + resolution**2) * (1 + 1 / len(numbers)))
    rounding = 1e-12 * np.abs(numbers).max(initial=0.0)  # the mean of equal numbers need not be equal to them
    if abs(distance) <= rounding:
        distance = 0.0
    if scale <= rounding:
        statistic = float(np.sign(distance) * np.inf) if distance else 0.0
    else:
        statistic = float(distance / scale)
    upper = float(t.sf(statistic, len(numbers) - 1))
    lower = float(t.cdf(statistic, len(numbers) - 1))
    return statistic, {"greater": upper, "less": lower, "two-sided": min(1.0, 2 * min(upper, lower))}[
        alternative
    ]


def membership_test(
    forget: Mapping[str, Array], unseen: Mapping[str, Array], *, permutations: int = 1999, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Whether any of several scores tells forget samples from unseen ones: a permutation test of the largest difference.

    If neither group was trained on and both are of the same kind, every division of all samples into groups of these
    sizes is equally likely. Each score has a rank sum, standardised by its own variance over divisions; the statistic of a
    family of scores is the largest in absolute value. All families are compared with the divisions' largest of *all*
    scores: the level holds for all of them together, whatever they share, and no further correction is needed.
    `p = (1 + #{divisions at least as extreme}) / (1 + permutations)`.

    Source: Westfall and Young, "Resampling-Based Multiple Testing", 1993 (single-step max-T); Phipson and Smyth 2010 for
    the 1.

    Args:
        forget: by family: shape (N, S), S scores of each sample, larger for members.
        unseen: by family: shape (M, S).
        permutations: number of random divisions.
        seed: of the divisions.

    Returns:
        By family: the statistic, positive if forget samples look more familiar, and the p-value.

    Example:
        >>> import numpy as np
        >>> from lightning_unlearn.audit._statistics import membership_test
        >>> scores = np.linspace(0, 1, 60)[:, None]
        >>> found = membership_test({"loss": scores[40:]}, {"loss": scores[:40]}, permutations=199)
        >>> found["loss"][0] > 0, found["loss"][1]
        (True, 0.005)
    """
    pairs = {name: _standardised_ranks(forget[name], unseen[name]) for name in forget}
    chosen = len(next(iter(forget.values())))
    sums = {name: ranks[:chosen].sum(0) for name, ranks in pairs.items()}
    every = np.concatenate(list(pairs.values()), axis=1)
    generator = np.random.default_rng(seed)
    largest = []
    for start in range(0, permutations, _AT_ONCE):
        divided = np.zeros((min(_AT_ONCE, permutations - start), len(every)))
        divided[:, :chosen] = 1.0
        largest.append(np.abs(generator.permuted(divided, axis=1) @ every).max(1))
    drawn = np.concatenate(largest)
    found = {}
    for name, sum_of in sums.items():
        extreme = sum_of[np.abs(sum_of).argmax()]
        as_extreme = int((drawn >= abs(extreme) - 1e-9).sum())  # what is equal but for rounding is a tie
        found[name] = (float(extreme), (1 + as_extreme) / (1 + permutations))
    return found


def _standardised_ranks(forget: Array, unseen: Array) -> Array:
    ranks = rankdata(np.concatenate([forget, unseen]), axis=0)
    centred: Array = ranks - ranks.mean(0)
    count = len(ranks)
    variance = (centred**2).sum(0) * len(forget) * len(unseen) / (count * max(count - 1, 1))
    scaled: Array = np.divide(centred, np.sqrt(variance), out=np.zeros_like(centred), where=variance > 0)
    return scaled


def holm(p_values: Sequence[float], weights: Sequence[float] | None = None) -> list[float]:
    """Adjusted p-values: rejecting those of at most α is wrong about any true null with a probability of at most α.

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979, with the weights of its section 4.

    Args:
        p_values: in [0, 1].
        weights: positive, how the level is shared out; all alike by default.

    Example:
        >>> from lightning_unlearn.audit._statistics import holm
        >>> holm([0.01, 0.5, 0.02])
        [0.03, 0.5, 0.04]
        >>> holm([0.04, 0.5, 0.02], weights=[2, 1, 1])
        [0.08, 0.5, 0.08]
    """
    share = [1.0] * len(p_values) if weights is None else list(weights)
    adjusted, floor, left = [0.0] * len(p_values), 0.0, sum(share)
    for place in sorted(range(len(p_values)), key=lambda i: p_values[i] / share[i]):
        floor = max(floor, min(1.0, left / share[place] * p_values[place]))
        adjusted[place], left = floor, left - share[place]
    return adjusted
