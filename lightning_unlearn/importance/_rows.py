"""Batches of unknown structure, taken apart into their samples."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor


def mapped(value: Any, fn: Callable[[Tensor], Tensor]) -> Any:
    """A copy of nested tuples, lists, mappings and dataclasses with `fn` applied to every tensor, in a fixed order.

    Example:
        >>> import torch
        >>> mapped({"x": torch.ones(1), "name": "a"}, lambda tensor: tensor + 1)
        {'x': tensor([2.]), 'name': 'a'}
    """
    if isinstance(value, Tensor):
        return fn(value)
    if isinstance(value, MutableMapping):
        changed = copy.copy(value)
        for key in value:
            changed[key] = mapped(value[key], fn)
        return changed
    if isinstance(value, Mapping):
        return {key: mapped(entry, fn) for key, entry in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(entry, fn) for entry in value))
    if isinstance(value, list | tuple):
        return type(value)(mapped(entry, fn) for entry in value)
    if is_dataclass(value) and not isinstance(value, type):
        record: Any = copy.copy(value)
        for field in fields(value):
            object.__setattr__(record, field.name, mapped(getattr(value, field.name), fn))
        return record
    return value


class Rows:
    """The samples of a batch: the rows of its tensors that are as long as the first one.

    Args:
        batch: nested containers of tensors. What is not a tensor of that length belongs to every sample.

    Example:
        >>> import torch
        >>> rows = Rows([torch.arange(6).reshape(3, 2), torch.tensor([5, 6, 7])])
        >>> len(rows), rows.sample([tensor[1:2] for tensor in rows.tensors])
        (3, [tensor([[2, 3]]), tensor([6])])
    """

    def __init__(self, batch: Any) -> None:
        self._batch = batch
        self.tensors: list[Tensor] = []
        self._count = 0
        mapped(batch, self._take)

    def __len__(self) -> int:
        return self._count

    def _take(self, tensor: Tensor) -> Tensor:
        if tensor.ndim and not self.tensors:
            self._count = len(tensor)
        if self._is_row(tensor):
            self.tensors.append(tensor)
        return tensor

    def _is_row(self, tensor: Tensor) -> bool:
        return tensor.ndim > 0 and len(tensor) == self._count

    def sample(self, tensors: list[Tensor]) -> Any:
        """The batch with `tensors` in the places of those that have rows."""
        given = iter(tensors)
        return mapped(self._batch, lambda old: next(given) if self._is_row(old) else old)
