"""How to get logits and labels out of a module and a batch of whose structure nothing is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from lightning_unlearn._tensors import whole
from lightning_unlearn.errors import ConfigurationError

Predict: TypeAlias = Callable[[nn.Module, Any], tuple[Tensor, Tensor]]
_REMEDY = (
    "Pass `predict=` to the objective, strategy or monitor that asks, such as `Bounded(predict=f)` or `SFRon(predict=f)`: a "
    "function of (module, batch) that returns logits and labels; for a model that has none, such as a "
    "generator, leave out what asks for them, or take another objective, such as `Ascent()`."
)


def logits_and_labels(module: nn.Module, batch: Any) -> tuple[Tensor, Tensor]:
    """The default `predict`: a batch `(inputs, labels)` and a module whose `forward(inputs)` returns logits.

    Write a function with this signature for anything else, and hand it over as `predict=`.

    Args:
        module: the user's module.
        batch: a tuple or list of two tensors.

    Returns:
        Logits, shape `(N, C, ...)`, and integer labels, shape `(N, ...)`.

    Raises:
        ConfigurationError: for any other structure.

    Example:
        >>> import torch
        >>> from lightning_unlearn.predictions import logits_and_labels
        >>> module = torch.nn.Linear(2, 3)
        >>> logits, labels = logits_and_labels(module, (torch.zeros(4, 2), torch.arange(4) % 3))
        >>> logits.shape, labels.shape
        (torch.Size([4, 3]), torch.Size([4]))
    """
    if not (isinstance(batch, Sequence) and len(batch) == 2 and isinstance(batch[1], Tensor)):
        raise ConfigurationError(
            "`predict` must be given when a batch is not a pair (inputs, labels), found a batch of type "
            f"{type(batch).__name__}. {_REMEDY}"
        )
    inputs, labels = batch
    try:
        logits = module(inputs)
    except NotImplementedError as error:
        raise ConfigurationError(
            f"`predict` must be given when a module has no `forward`, found {type(module).__name__}: {error} {_REMEDY}"
        ) from error
    if not isinstance(logits, Tensor) or logits.ndim < 2 or labels.is_floating_point():
        found = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        raise ConfigurationError(
            "`predict` must be given when `forward` does not return logits of shape (N, C, ...) for integer labels, "
            f"found {found} and labels of {labels.dtype}. {_REMEDY}"
        )
    return logits, labels


def predicted(predict: Predict | None, module: nn.Module, batch: Any) -> tuple[Tensor, Tensor]:
    """Logits and labels by `predict`, `None` for :func:`logits_and_labels`; logits sharded over classes are gathered."""
    logits, labels = (predict or logits_and_labels)(module, batch)
    return whole(logits), labels


def log_probability_of_label(logits: Tensor, labels: Tensor) -> Tensor:
    """`log p_y`, shape as `labels`, computed in at least float32."""
    logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    return logits.log_softmax(dim=1).gather(1, labels.unsqueeze(1)).squeeze(1)
