"""What a few examples are enough to find in a model's features."""

from __future__ import annotations

import numpy as np

from lightning_unlearn.audit._statistics import Array

SHOTS = 10
_DRAWS = 20


def separation(forgotten: Array, others: Array, *, shots: int = SHOTS, seed: int = 0) -> float:
    """How far a class stands out in a model's features, along a direction learned from a few of its samples.

    `d′ = (mean s₁ − mean s₀) / √(½ (var s₁ + var s₀))`, the distance of the two groups' scores in standard deviations,
    for `s = ⟨features, w⟩` and `w` the mean of `shots` forgotten samples less the mean of half of the others, features
    standardised; on the samples that `w` was not made of, and averaged over draws. A class that a model was trained on is a
    cluster of its own; for one that it never saw this is smaller. In trials, probes with more freedom (logistic
    regression, discriminant analysis) told originals and references less well apart.

    Args:
        forgotten: features of samples of the forgotten class, shape (N, D), N above `shots`.
        others: of other samples, shape (M, D), at least 4.
        shots: number of examples.
        seed: of the draws.

    Returns:
        d′; 0 if no feature varies.

    Example:
        >>> import numpy as np
        >>> from lightning_unlearn.audit._probe import separation
        >>> noise = np.random.default_rng(0).normal(size=(200, 3))
        >>> bool(separation(noise[:50] + 4, noise[50:]) > separation(noise[:50] + 1, noise[50:]) > 0)
        True
    """
    both = np.concatenate([forgotten, others]).astype(np.float64)
    spread = both.std(0)
    scaled = (both - both.mean(0)) / np.where(spread > 0, spread, 1.0)
    ones, zeros = scaled[: len(forgotten)], scaled[len(forgotten) :]
    generator, found = np.random.default_rng(seed), []
    for _ in range(_DRAWS):
        first, second = generator.permutation(len(ones)), generator.permutation(len(zeros))
        half = len(zeros) // 2
        direction = ones[first[:shots]].mean(0) - zeros[second[:half]].mean(0)
        high, low = ones[first[shots:]] @ direction, zeros[second[half:]] @ direction
        within = np.sqrt((high.var() + low.var()) / 2)
        found.append((high.mean() - low.mean()) / within if within > 0 else 0.0)
    return float(np.mean(found))
