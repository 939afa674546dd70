"""Checks of what `retrain_references` is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lightning_unlearn._checks import positive_int
from lightning_unlearn.errors import ConfigurationError

_DEFAULT, _LARGEST = 5, 2**32 - 1


def chosen_seeds(count: int | None, seeds: Sequence[Any] | None) -> list[int]:
    """The seeds: those given, or 1 … count.

    Raises:
        ConfigurationError: there are none, one is given twice or out of range, or `count` is another number.

    Example:
        >>> chosen_seeds(3, None), chosen_seeds(None, [7, 5])
        ([1, 2, 3], [7, 5])
    """
    if count is not None:
        positive_int("count", count)
    if seeds is None:
        return list(range(1, (count or _DEFAULT) + 1))
    wrong = [s for s in seeds if isinstance(s, bool) or not isinstance(s, int) or not 0 <= s <= _LARGEST]
    if wrong or not seeds:
        raise ConfigurationError(f"`seeds` must be integers from 0 to {_LARGEST}, found {wrong or 'none'}.")
    twice = sorted({seed for seed in seeds if list(seeds).count(seed) > 1})
    if twice:
        raise ConfigurationError(
            f"`seeds` must be distinct, found {', '.join(map(str, twice))} more than once. Two references of one seed "
            "are the same model."
        )
    if count is not None and count != len(seeds):
        raise ConfigurationError(
            f"`count` must be the number of `seeds`, {len(seeds)}, found {count}. Leave one of the two out."
        )
    return list(seeds)
