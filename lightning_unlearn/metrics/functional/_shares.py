"""Accuracies as shares of 1."""

from __future__ import annotations

from torch import Tensor


def share(name: str, value: float | Tensor) -> float:
    """`value`, if it is between 0 and 1."""
    number = float(value)
    if not 0 <= number <= 1:
        raise ValueError(f"`{name}` must be between 0 and 1, found {number}. Divide percentages by 100.")
    return number
