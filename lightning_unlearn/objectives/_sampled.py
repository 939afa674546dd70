"""What objectives for generators are given: something that samples, and a network that looks at the samples."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from lightning_unlearn._tensors import whole
from lightning_unlearn.errors import ConfigurationError


def check_sampling(sampler: Any, network: Any, name: str, returns: str) -> None:
    """Refuse a sampler that cannot be called, and what is no network.

    Raises:
        ConfigurationError: as said; `name` is the network's argument, `returns` what it makes of samples.
    """
    if not callable(sampler):
        raise ConfigurationError(
            f"`sampler` must be a function of the module that returns samples, found {sampler!r}."
        )
    if not isinstance(network, nn.Module):
        raise ConfigurationError(
            f"`{name}` must be a `torch.nn.Module` that returns {returns}, found {type(network).__name__}."
        )


def as_samples(found: Any) -> Tensor:
    """What a sampler has returned, gathered if it is sharded.

    Raises:
        ConfigurationError: it is no floating-point tensor of shape `(N, ...)` with N ≥ 1.

    Example:
        >>> import torch
        >>> as_samples(torch.zeros(4, 2)).shape
        torch.Size([4, 2])
    """
    if isinstance(found, Tensor) and found.is_floating_point() and found.ndim >= 2 and len(found):
        return whole(found)
    shown = (
        f"shape {tuple(found.shape)} of {found.dtype}" if isinstance(found, Tensor) else type(found).__name__
    )
    raise ConfigurationError(
        f"`sampler` must return floating-point samples of shape (N, ...), at least one, found {shown}. Let it return what the "
        "module makes of a batch of latents."
    )
