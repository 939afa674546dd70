"""A name for everything that a Fisher information depends on."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lightning_unlearn._tensors import whole
from lightning_unlearn.importance._rows import Rows
from lightning_unlearn.importance._squares import Losses
from lightning_unlearn.importance._visitor import Visitor

if TYPE_CHECKING:
    from hashlib import _Hash

_BITS = 32


def key_of(module: nn.Module, source: Visitor, losses: Losses, kind: str, batch_size: int) -> str:
    """SHA-256 of data, weights, buffers, kind, batch size, precision and loss function, the same on every process."""
    content = hashlib.sha256()
    data = _digest_of_data(source, by_sample=kind == "sample")
    _say(content, kind, batch_size, *data, *_described(losses), type(module).__qualname__)
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        _say(content, name, tensor.requires_grad)
        _feed(content, whole(tensor.detach()))
    return content.hexdigest()


def _digest_of_data(source: Visitor, *, by_sample: bool) -> list[Any]:
    """Sums of the words of all samples' (or batches') digests: in whatever order, on any number of processes."""
    precision: list[Any] = []

    def terms(batch: Any) -> dict[str, Tensor]:
        rows = Rows(batch)
        device = rows.tensors[0].device if rows.tensors else torch.device("cpu")
        enabled = torch.is_autocast_enabled(device.type)
        precision[:] = [enabled, str(torch.get_autocast_dtype(device.type)) if enabled else ""]
        cut = by_sample and rows.tensors
        units = [[t[i : i + 1] for t in rows.tensors] for i in range(len(rows))] if cut else [rows.tensors]
        total = [0] * (256 // _BITS)
        for tensors in units:
            content = hashlib.sha256()
            _feed(content, rows.sample(tensors))
            digest = content.digest()
            words = [int.from_bytes(digest[i : i + 4], "big") for i in range(0, len(digest), _BITS // 8)]
            total = [a + b for a, b in zip(total, words, strict=True)]
        return {"words": torch.tensor(total, device=device), "units": torch.tensor(len(units), device=device)}

    sums = source.sum(terms)
    return [*sums["words"].tolist(), *sums["units"].reshape(1).tolist(), *precision]


def _described(losses: Losses) -> list[str]:
    """The function by name and text, as far as there is one; of a method also the functions that its object holds."""
    held = vars(losses.__self__).values() if hasattr(losses, "__self__") else ()
    described = []
    for function in (losses, *(value for value in held if callable(value))):
        try:
            text = inspect.getsource(function)
        except (OSError, TypeError):
            text = ""
        # not the module: that of a script is another one where it is imported
        described += [getattr(function, "__qualname__", type(function).__qualname__), text]
    return described


def _feed(content: _Hash, value: Any) -> None:
    if isinstance(value, Tensor):
        _say(content, "tensor", value.dtype, tuple(value.shape))
        flat = value.detach().cpu().contiguous().reshape(-1)
        content.update(flat.view(torch.uint8).numpy().tobytes())
    elif isinstance(value, Mapping):
        _say(content, "mapping", len(value))
        for key in sorted(value, key=repr):
            _say(content, key)
            _feed(content, value[key])
    elif isinstance(value, list | tuple):
        _say(content, "sequence", len(value))
        for entry in value:
            _feed(content, entry)
    elif is_dataclass(value) and not isinstance(value, type):
        _say(content, type(value).__qualname__)
        for field in fields(value):
            _feed(content, getattr(value, field.name))
    else:
        _say(content, value)


def _say(content: _Hash, *words: object) -> None:
    content.update(repr(words).encode())
