"""The global random streams, put to a fixed place for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lightning_unlearn.passes import _streams

_CPU = torch.device("cpu")


@contextmanager
def fixed_streams() -> Iterator[None]:
    """Torch's, NumPy's and Python's streams start at the same place in every process; afterwards they are as before.

    Example:
        >>> with fixed_streams():
        ...     first = torch.rand(())
        >>> with fixed_streams():
        ...     bool(first == torch.rand(()))
        True
    """
    with _streams.isolated(_CPU):
        start_again()
        yield


def start_again() -> None:
    """To that place once more."""
    _streams.start(_CPU, 0)
