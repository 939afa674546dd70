"""Seeds of original training, unlearning, evaluation and retraining, each varied by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lightning_unlearn.errors import ConfigurationError

_FIRST_REFERENCE = 101  # never an original's, if both are given as counts
_LARGEST = 2**32 - 1


@dataclass(frozen=True)
class Seeds:
    """All of a comparison.

    Attributes:
        original: of the originals: first weights and order of the samples.
        unlearning: of each unlearning: order of the samples, and all random streams.
        evaluation: of each evaluation: what the attack draws.
        reference: of the retrained models.
    """

    original: Sequence[int]
    unlearning: Sequence[int]
    evaluation: Sequence[int]
    reference: Sequence[int]


def seeds_of(original: Any, unlearning: Any, evaluation: Any, reference: Any) -> Seeds:
    """Seeds from counts (n for 1 … n, of references for 101 … 100 + n) or lists.

    Raises:
        ConfigurationError: a count or a seed is out of range, a seed is given twice, or an original and a reference share one.

    Example:
        >>> seeds_of(2, [7], 1, 3)
        Seeds(original=[1, 2], unlearning=[7], evaluation=[1], reference=[101, 102, 103])
    """
    seeds = Seeds(
        _listed("original_seeds", original, 1, at_least=1),
        _listed("unlearning_seeds", unlearning, 1, at_least=1),
        _listed("evaluation_seeds", evaluation, 1, at_least=1),
        _listed("reference_seeds", reference, _FIRST_REFERENCE, at_least=0),
    )
    shared = sorted(set(seeds.original) & set(seeds.reference))
    if shared:
        raise ConfigurationError(
            f"`reference_seeds` must be other seeds than `original_seeds`, found {_said(shared)} in both. A reference that "
            "begins with the weights of an original is nearer to it than another one would be."
        )
    return seeds


def _listed(name: str, given: Any, first: int, at_least: int) -> list[int]:
    if isinstance(given, int) and not isinstance(given, bool):
        if given < at_least:
            raise ConfigurationError(f"`{name}` must be at least {at_least}, found {given}.")
        return list(range(first, first + given))
    wrong = [s for s in given if isinstance(s, bool) or not isinstance(s, int) or not 0 <= s <= _LARGEST]
    if wrong or len(given) < at_least:
        raise ConfigurationError(
            f"`{name}` must be a count, or integers from 0 to {_LARGEST}, found {wrong or 'none'}."
        )
    twice = sorted({seed for seed in given if list(given).count(seed) > 1})
    if twice:
        raise ConfigurationError(
            f"`{name}` must be distinct, found {_said(twice)} more than once. The same seed gives the same numbers."
        )
    return list(given)


def _said(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))
