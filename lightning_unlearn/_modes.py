"""Modules in another mode for the length of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for the length of the block; every sub-module gets its own mode back."""
    modes = [(m, m.training) for m in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for m, mode in modes:
            m.training = mode


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Parameters that a graph made inside the block does not reach; each gets its own `requires_grad` back."""
    required = [p for p in module.parameters() if p.requires_grad]
    for p in required:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in required:
            p.requires_grad_(True)
