"""Every metric once: how to build it, what it is fed, its functional twin and an independent computation of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_unlearn.metrics import UnlearningMetric

Arguments = tuple[Tensor, ...]


@dataclass(frozen=True)
class Case:
    """What the laws need to know of a metric.

    Attributes:
        name: of the case.
        build: makes the metric.
        samples: the arguments of one `update` with all samples, in float64, from a NumPy generator.
        function: the functional twin's value from the same arguments.
        independent: the same number by other means, from the arguments as NumPy arrays.
        tolerance: relative and absolute, between function and independent.
    """

    name: str
    build: Callable[[], UnlearningMetric]
    samples: Callable[[np.random.Generator], Arguments]
    function: Callable[..., Tensor]
    independent: Callable[..., Any]
    tolerance: float = 1e-6


def rows(arguments: Arguments, chosen: slice | Tensor) -> Arguments:
    """The same arguments for some of the samples."""
    return tuple(tensor[chosen] for tensor in arguments)


def split(arguments: Arguments, parts: int) -> Sequence[Arguments]:
    """Batches of about one size."""
    bounds = np.linspace(0, len(arguments[0]), parts + 1).astype(int)
    return [rows(arguments, slice(a, b)) for a, b in pairwise(bounds)]


def all_cases() -> list[Case]:
    """Those of every family; here, so that families may use what stands above."""
    from tests.metrics import (
        _attack_cases,
        _comparison_cases,
        _fidelity_cases,
        _membership_cases,
        _population_cases,
        _side_cases,
    )

    families = (
        _membership_cases,
        _attack_cases,
        _side_cases,
        _comparison_cases,
        _population_cases,
        _fidelity_cases,
    )
    return [case for family in families for case in family.CASES]


def classified(generator: np.random.Generator, count: int = 60, classes: int = 5) -> tuple[Tensor, Tensor]:
    """Logits, some of them equal, and labels."""
    logits = torch.from_numpy(np.round(generator.normal(0, 2, (count, classes)), 1))
    return logits, torch.from_numpy(generator.integers(0, classes, count))
