from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from torch import Tensor


class Visitor(Protocol):
    """What is needed of a :class:`~lightning_unlearn.Source`: every batch of one side, in evaluation mode."""

    @property
    def batch_size(self) -> int | None:
        """Number of samples of a full batch; `None` if that is unknown."""

    @property
    def writes(self) -> bool:
        """Whether this process writes files for those that share its disk."""

    def sum(self, terms: Callable[[Any], Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Sum `terms(batch)` over all batches and processes."""

    def gradient(self, loss: Tensor) -> dict[str, Tensor]:
        """Gradient of a loss, by name of the trainable parameters that it reaches."""

    def everywhere(self, condition: bool) -> bool:
        """Whether `condition` holds on every process."""
