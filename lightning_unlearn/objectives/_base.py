from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from lightning_unlearn.objectives._quotient import Quotient


@dataclass(frozen=True)
class Context:
    """What an objective may know about the batch it is given.

    Attributes:
        training_loss: runs the user's own `training_step` on a batch; `None` where that returned `None`.
        step: number of optimiser steps taken so far.
        micro_batch: position of the batch in its accumulation window.
        rank: index of this process among the data-parallel ones.
        world_size: number of data-parallel processes.
    """

    training_loss: Callable[[Any], Tensor | None]
    step: int = 0
    micro_batch: int = 0
    rank: int = 0
    world_size: int = 1
    samples: dict[int, int] = field(default_factory=dict)

    def rows(self, samples: int) -> Tensor:
        """Position of each of this batch's `samples` in the window over all processes, shape `(samples,)`.

        Randomness that is keyed by these rows is the same on any number of processes and under accumulation.
        """
        self.samples[self.micro_batch] = samples
        before = sum(self.samples.get(j, samples) for j in range(self.micro_batch))
        return before * self.world_size + self.rank + self.world_size * torch.arange(samples)


class Objective(ABC):
    """The forget side's loss, **to be minimised**: `outer(mean over the window of loss)`.

    A subclass says what is averaged over samples (:meth:`loss`) and, if it needs one, a function of that mean
    (:meth:`outer`). The mean is taken over the accumulation window and over all processes before `outer` sees it,
    so that the update does not depend on how the window is cut.

    Example:
        >>> import torch
        >>> from lightning_unlearn.objectives import Context, Objective
        >>> class HalfAscent(Objective):
        ...     def loss(self, module, batch, context):
        ...         loss = context.training_loss(batch)
        ...         return None if loss is None else -0.5 * loss
        >>> HalfAscent().loss(torch.nn.Identity(), None, Context(lambda batch: torch.tensor(2.0)))
        tensor(-1.)
    """

    @abstractmethod
    def loss(self, module: nn.Module, batch: Any, context: Context) -> Tensor | Quotient | None:
        """Mean over the samples of `batch`, a 0-d tensor with a graph, or `None` to leave the batch out.

        A :class:`Quotient` for a loss with a normaliser that must be known for the whole window.
        """

    def outer(self, loss: Tensor) -> Tensor:
        """A differentiable function of the global mean loss (0-d); the identity unless overridden."""
        return loss

    @override
    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in vars(self).items() if not k.startswith("_"))
        return f"{type(self).__name__}({arguments})"
