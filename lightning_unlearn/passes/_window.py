"""The micro-batches between two optimiser steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from lightning.fabric.utilities import move_data_to_device
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.passes._streams import Streams
from lightning_unlearn.passes._traces import Buffers


@dataclass
class MicroBatch:
    """Both halves of one batch of the window, and the state in which Lightning entered `training_step` with it.

    Attributes:
        halves: `"retain"` and `"forget"` to the transferred batch; a half that is not there is missing.
        index: Lightning's `batch_idx`.
        arguments: what Lightning passed to `training_step` after the batch.
        streams: random number streams on entry.
        buffers: buffers on entry.
        versions: of the tensors of each half, to notice a change in place.
        loss: what Lightning's own pass returned, detached; `None` where `training_step` returned `None`.
        divisor: what the mean of the losses is to be divided by; `None` for nothing.
    """

    halves: dict[str, Any]
    index: int
    arguments: tuple[Any, ...] = ()
    streams: Streams | None = None
    buffers: Buffers | None = None
    loss: Tensor | None = None
    divisor: Tensor | None = None
    versions: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.versions = {side: _version(batch) for side, batch in self.halves.items()}

    def half(self, side: str, device: torch.device, hold: str) -> Any:
        """The batch of one side, in containers of its own: a `training_step` may pop from the dict it is given."""
        batch = self.halves[side]
        batch = list(batch) if _is_flat(batch) else apply_to_collection(batch, Tensor, lambda tensor: tensor)
        if _version(batch) != self.versions[side]:
            raise ConfigurationError(
                f"`training_step` must not change the tensors of its batch in place, found the {side} batch changed when "
                "it was needed again. Write `x = x * 2` for `x *= 2`, or clone the batch."
            )
        return move_data_to_device(batch, device) if hold == "cpu" else batch

    def held(self, hold: str) -> MicroBatch:
        """Itself, with its tensors moved to where they are kept until the window closes."""
        if hold == "cpu":
            self.halves = {k: move_data_to_device(v, torch.device("cpu")) for k, v in self.halves.items()}
            self.__post_init__()
        return self


def _version(batch: Any) -> int:
    """Changes with every operation in place on a tensor of the batch."""
    if _is_flat(batch):
        return sum(0 if t.is_inference() else t._version for t in batch)
    versions: list[int] = []
    apply_to_collection(batch, Tensor, lambda t: versions.append(0 if t.is_inference() else t._version))
    return sum(versions)


def _is_flat(batch: Any) -> bool:
    """Whether it is a plain list of tensors, as most batches are: those need no search."""
    return type(batch) is list and all(isinstance(item, Tensor) for item in batch)
