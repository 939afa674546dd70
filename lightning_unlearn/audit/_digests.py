"""Fingerprints of what was audited: of weights, and of who the samples are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor


def weights_digest(state_dict: Mapping[str, Any]) -> str:
    """SHA-256 of a state dict: of names, types, shapes and bytes, in the order of the names.

    It does not depend on the device, on strides, on the order of the entries or on how the file was written. It does on
    every bit of every number: `-0.0` is not `0.0`, and two NaNs with different bits differ. Hashed for each entry are name,
    type and shape, as UTF-8 text behind its length in 8 bytes, and the numbers row by row, behind theirs.

    Args:
        state_dict: As `module.state_dict()` returns it: tensors by name.

    Returns:
        64 hexadecimal digits.

    Raises:
        ValueError: An entry is not a dense tensor with numbers in it.

    Example:
        >>> import torch
        >>> zero = weights_digest({"w": torch.zeros(2)})
        >>> zero[:16], zero == weights_digest({"w": -torch.zeros(2)})
        ('e8cd4eb575f7d18c', False)
    """
    digest = hashlib.sha256()
    for name in sorted(state_dict):
        tensor = _dense(name, state_dict[name])
        for text in (name, str(tensor.dtype).removeprefix("torch."), str(list(tensor.shape))):
            _add(digest, text.encode())
        _add(digest, tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def identifiers_digest(ids: Iterable[str]) -> str:
    """SHA-256 of the identifiers of samples, in sorted order, each as UTF-8 text behind its length in 8 bytes.

    The order of the samples does not matter; how often each occurs does.

    Args:
        ids: One string for each sample: a file name, a key of a data base, an index.

    Returns:
        64 hexadecimal digits.

    Raises:
        ValueError: `ids` is one string, or holds something that is none.

    Example:
        >>> identifiers_digest(["7", "12"]) == identifiers_digest(["12", "7"])
        True
        >>> identifiers_digest(["7", "12"]) == identifiers_digest(["71", "2"])
        False
    """
    if isinstance(ids, str):
        raise ValueError(f"`ids` must be several strings, found one: {ids[:40]!r}. Put it into a list.")
    found = list(ids)
    for identifier in found:
        if not isinstance(identifier, str):
            raise ValueError(f"`ids` must be strings, found {identifier!r}. Convert each by `str`.")
    digest = hashlib.sha256()
    for identifier in sorted(found):
        _add(digest, identifier.encode("utf-8", "surrogatepass"))  # names of files may be no Unicode
    return digest.hexdigest()


def _add(digest: hashlib._Hash, content: bytes | memoryview) -> None:
    digest.update(len(content).to_bytes(8, "little"))
    digest.update(content)


def _dense(name: str, value: object) -> Tensor:
    if (
        not isinstance(value, Tensor)
        or value.layout is not torch.strided
        or value.is_quantized
        or value.is_meta
    ):
        kind = type(value).__name__
        if isinstance(value, Tensor):
            kind = f"{value.dtype}, {value.layout}, on {value.device.type}"
        raise ValueError(
            f"`state_dict` must hold dense tensors, found {kind} at {name!r}. "
            "Leave that entry out, or convert it to a plain tensor."
        )
    return value.detach().cpu().resolve_conj().resolve_neg().contiguous()
