"""Checks of constructor arguments; each raises one sentence: name, requirement, found."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from lightning_unlearn.errors import ConfigurationError

_NOT_NUMBERS: tuple[type, ...] = (bool,)  # although Python counts with them


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, _NOT_NUMBERS) and math.isfinite(value)


def finite(name: str, value: Any) -> float:
    """Return `value` as a float, if it is a finite number."""
    if not _is_number(value):
        raise ConfigurationError(f"`{name}` must be a finite number, found {value!r}.")
    return float(value)


def non_negative(name: str, value: Any) -> float:
    """Return `value` as a float, if it is a finite number of at least 0."""
    if not _is_number(value) or value < 0:
        raise ConfigurationError(f"`{name}` must be a finite, non-negative number, found {value!r}.")
    return float(value)


def positive(name: str, value: Any) -> float:
    """Return `value` as a float, if it is a finite number above 0."""
    if not _is_number(value) or value <= 0:
        raise ConfigurationError(f"`{name}` must be a finite, positive number, found {value!r}.")
    return float(value)


def fraction(name: str, value: Any) -> float:
    """Return `value` as a float, if it lies in [0, 1]."""
    if not _is_number(value) or not 0 <= value <= 1:
        raise ConfigurationError(f"`{name}` must be a number between 0 and 1, found {value!r}.")
    return float(value)


def below_one(name: str, value: Any) -> float:
    """Return `value` as a float, if it lies in [0, 1)."""
    if not _is_number(value) or not 0 <= value < 1:
        raise ConfigurationError(f"`{name}` must be a number of at least 0 and below 1, found {value!r}.")
    return float(value)


def positive_int(name: str, value: Any) -> int:
    """Return `value`, if it is an integer of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"`{name}` must be a positive integer, found {value!r}.")
    return value


def one_of(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Return `value`, if it is one of `choices`."""
    if value not in choices:
        listed = " or ".join(f'"{choice}"' for choice in choices)
        raise ConfigurationError(f"`{name}` must be {listed}, found {value!r}.")
    return str(value)


def non_negative_int(name: str, value: Any) -> int:
    """Return `value`, if it is an integer of at least 0."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigurationError(f"`{name}` must be an integer of at least 0, found {value!r}.")
    return value


def boolean(name: str, value: Any) -> bool:
    """Return `value`, if it is true or false."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"`{name}` must be true or false, found {value!r}.")
    return value
