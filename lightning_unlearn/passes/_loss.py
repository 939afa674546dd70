"""The loss in what a `training_step` returned, or in what stood for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lightning_unlearn._tensors import whole
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.objectives import Quotient


def mean_of(losses: list[Tensor]) -> Tensor | None:
    """The mean of the window's losses, `None` if there was none."""
    if len(losses) < 2:
        return losses[0] if losses else None
    return torch.stack(losses).mean()


def check_graph(loss: Tensor, side: str) -> None:
    """A loss without a graph is a misfit of the objective."""
    if not loss.requires_grad:
        raise ConfigurationError(
            f"The {side} side's loss must depend on a trainable parameter, found one without a graph. Unfreeze "
            "a parameter that it uses, and do not detach it."
        )


def loss_of(output: Any) -> Tensor | None:
    """The loss in what a `training_step` returned: a tensor, a mapping with a `loss`, or `None`."""
    loss = output.get("loss") if isinstance(output, Mapping) else output
    return loss if isinstance(loss, Tensor) else None


def quotient_of(output: Any) -> tuple[Tensor | None, Tensor | None]:
    """The loss in what stood for a `training_step`, and what its mean is to be divided by: `None` for nothing."""
    if isinstance(output, Quotient):
        return output.numerator, whole(output.divisor.detach())
    return loss_of(output), None
