from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Progress:
    """Where a run is.

    Attributes:
        step: optimiser steps taken, from 0.
        total_steps: planned for the run; `None` if that is unknown.
        epoch: from 0.

    Example:
        >>> from lightning_unlearn.strategies import Progress
        >>> Progress(step=3, total_steps=10)
        Progress(step=3, total_steps=10, epoch=0)
    """

    step: int = 0
    total_steps: int | None = None
    epoch: int = 0
