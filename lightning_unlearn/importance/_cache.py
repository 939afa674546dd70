"""Files of tensors by parameter name, which are read only if they are whole and of this version."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lightning_unlearn._files import atomically
from lightning_unlearn._tensors import whole

VERSION = 1


def read(path: Path, like: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The values on the CPU; `None`, with a warning, if the file is not to be trusted, and without if there is none.

    Args:
        path: of the file.
        like: tensors of the names and shapes that must be there.
    """
    if not path.exists():
        return None
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
        problem = _problem(content, like)
        if problem is None:
            return dict(content["values"])
    except Exception as error:  # a damaged file may raise anything
        problem = f"a damaged file ({type(error).__name__})"
    warnings.warn(
        f"`{path}` must be a whole file of version {VERSION} to be used, found {problem}. It is computed anew and replaced.",
        stacklevel=3,
    )
    return None


def _problem(content: Any, like: Mapping[str, Tensor]) -> str | None:
    if content["version"] != VERSION:
        return f"version {content['version']}"
    shapes = {name: tensor.shape for name, tensor in content["values"].items()}
    if shapes != {name: tensor.shape for name, tensor in like.items()}:
        return "values of other parameters"
    return None if _digest(content["values"]) == content["digest"] else "other values than were written"


def write(path: Path, values: Mapping[str, Tensor], *, writes: bool) -> None:
    """Write the values, of which shards are gathered by all processes, on one process of those that share a disk."""
    plain = {name: whole(tensor) for name, tensor in values.items()}
    if writes:
        plain = {name: tensor.cpu() for name, tensor in plain.items()}
        with atomically(path) as temporary:
            torch.save({"version": VERSION, "values": plain, "digest": _digest(plain)}, temporary)


def _digest(values: Mapping[str, Tensor]) -> str:
    content = hashlib.sha256()
    for name in sorted(values):
        content.update(repr((name, values[name].dtype, tuple(values[name].shape))).encode())
        content.update(values[name].contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return content.hexdigest()
