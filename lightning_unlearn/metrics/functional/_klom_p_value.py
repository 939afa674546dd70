"""Whether unlearned models differ from oracles by more than chance: a permutation test."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import two_populations, whole_number
from lightning_unlearn.metrics.functional._gaussian_klom import gaussian_klom


def klom_p_value(
    unlearned_margins: Tensor,
    oracle_margins: Tensor,
    *,
    statistic: Callable[[Tensor, Tensor], Tensor] = gaussian_klom,
    permutations: int = 999,
    seed: int = 0,
) -> Tensor:
    """Probability that sets of models of one kind are as different as these two, by exchanging models between the sets.

    If unlearned models are distributed as oracles, every division of all models in sets of M and K is equally likely.
    `p = (1 + #{random divisions whose statistic is at least that observed}) / (1 + permutations)`, which is at most α with
    a probability of at most α, for every number of models and every statistic; ties make it larger. Models are exchanged
    as a whole, so that samples may depend on one another.

    A large value does not show that a model has forgotten: with few models nothing is small. The smallest value possible
    is the larger one of `1 / (1 + permutations)` and about `1 / binomial(M + K, M)`. The models must be independent: those
    unlearned from one trained model are not exchangeable with oracles of different seeds.

    Source: Phipson and Smyth, "Permutation P-values Should Never Be Zero", 2010.

    Args:
        unlearned_margins: shape (M, S).
        oracle_margins: shape (K, S).
        statistic: makes one number of two such tensors, larger for more different sets, such as :func:`gaussian_klom`, or
            :func:`klom` for many models; with fewer than about 100 models the latter finds little with 20 bins.
        permutations: number of random divisions, at least 1.
        seed: of the divisions.

    Returns:
        0-d float32 tensor in (0, 1]; uniform for models that have forgotten.

    Raises:
        ValueError: `permutations` or `seed` is not an integer in range, or as `statistic` does.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import klom_p_value
        >>> oracles = torch.linspace(-2, 2, 9)[:, None]
        >>> klom_p_value(oracles + 6, oracles, permutations=199)
        tensor(0.0050)
    """
    _klom_p_value_validate_args(permutations, seed)
    unlearned, oracles = two_populations(
        "unlearned_margins", unlearned_margins, "oracle_margins", oracle_margins
    )
    models = torch.cat([unlearned, oracles])
    generator = torch.Generator().manual_seed(seed)
    observed = statistic(unlearned, oracles)
    drawn = torch.stack(
        [
            statistic(*_divided(models, len(unlearned), torch.randperm(len(models), generator=generator)))
            for _ in range(permutations)
        ]
    )
    # what is equal but for rounding is a tie
    at_least = (drawn >= observed) | drawn.isclose(observed, rtol=1e-6, atol=1e-12)
    return ((1 + at_least.double().sum()) / (1 + permutations)).float()


def _divided(models: Tensor, count: int, order: Tensor) -> tuple[Tensor, Tensor]:
    """Two sets of models, each in its old order: the same division gives the same number to the last bit."""
    order = order.to(models.device)
    return models[order[:count].sort().values], models[order[count:].sort().values]


def _klom_p_value_validate_args(permutations: object, seed: object) -> None:
    whole_number("permutations", permutations, least=1)
    whole_number("seed", seed, least=0)
