"""A strategy's state as a checkpoint may hold it: tensors and primitives, which load with `weights_only=True`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lightning_unlearn._tensors import is_sharded, placed_like
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.gradient import Gradient

_GRADIENT, _HOST = "__gradient__", "__host__"
_PRIMITIVES = (bool, int, float, str, type(None))


def to_plain(value: Any, where: str, device: torch.device | None) -> Any:
    """`value` with every `Gradient` as a dict of tensors by parameter name.

    Args:
        value: nested dicts and lists of tensors, Gradients and primitives.
        where: its name in a message.
        device: of the run: tensors that are on the host instead stay there.
    """
    if type(value) in _PRIMITIVES:
        return value
    if isinstance(value, Gradient):
        return {_GRADIENT: {name: None if t is None else t.detach() for name, t in value.items()}}
    if isinstance(value, Tensor) and (type(value) in (Tensor, nn.Parameter) or is_sharded(value)):
        on_host = device is not None and value.device.type == "cpu" != device.type
        return {_HOST: value.detach()} if on_host else value.detach()
    if type(value) in (list, tuple):
        return [to_plain(entry, f"{where}[{i}]", device) for i, entry in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if type(key) not in (str, int, bool):
                raise ConfigurationError(
                    f"Keys of `{where}` must be strings or whole numbers, found {key!r}. Use its name."
                )
        return {key: to_plain(entry, f"{where}[{key!r}]", device) for key, entry in value.items()}
    raise ConfigurationError(
        f"`{where}` must be made of tensors, Gradients, numbers, strings, lists and dicts, found "
        f"{type(value).__name__}. Keep what it is made of, such as `torch.as_tensor(array)` or a `state_dict()`."
    )


def from_plain(
    plain: Any, weights: Mapping[str, Tensor] | None = None, device: torch.device | None = None
) -> Any:
    """The reverse of :func:`to_plain`.

    Args:
        plain: from a checkpoint.
        weights: the parameters: entries of Gradients go where, and are sharded as, those of their names are.
        device: where the other tensors go, but for those that were on the host; `None` to leave them.
    """

    def entry(name: str, tensor: Tensor | None) -> Tensor | None:
        if tensor is None or device is None:
            return tensor
        return placed_like(tensor.to(device), (weights or {}).get(name, tensor))

    def restored(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value if device is None else value.to(device)
        if isinstance(value, dict):
            if value.keys() == {_GRADIENT}:
                return Gradient({name: entry(name, tensor) for name, tensor in value[_GRADIENT].items()})
            return value[_HOST] if value.keys() == {_HOST} else {k: restored(v) for k, v in value.items()}
        return [restored(v) for v in value] if isinstance(value, list) else value

    return restored(plain)


def whole(plain: Any) -> Any:
    """`plain` with every shard replaced by the whole tensor; to be called by all processes."""
    if isinstance(plain, Tensor):
        return plain.full_tensor() if is_sharded(plain) else plain  # type: ignore[attr-defined]
    if isinstance(plain, dict):
        return {key: whole(value) for key, value in plain.items()}
    return [whole(value) for value in plain] if isinstance(plain, list) else plain
