"""Settings as canonical JSON."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from enum import Enum
from functools import partial
from pathlib import PurePath
from typing import Any

import torch

from lightning_unlearn.errors import ConfigurationError

_THEIRS = ("builtins", "abc", "typing", "torch", "lightning", "lightning_fabric", "pytorch_lightning")


def canonical(description: Any) -> str:
    """JSON with sorted keys and without spaces: equal for equal settings.

    Example:
        >>> canonical({"b": 1, "a": [None, 0.5]})
        '{"a":[null,0.5],"b":1}'
    """
    return json.dumps(description, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def described(value: Any, where: str) -> Any:
    """Plain values for JSON: classes and functions by their names, `functools.partial` by its parts.

    Args:
        value: what is to be described.
        where: how the user calls it.

    Raises:
        ConfigurationError: it is, or holds, an object of another kind.

    Example:
        >>> described(partial(torch.optim.SGD, lr=0.1), "`optimizer`")
        {'call': 'torch.optim.sgd.SGD', 'args': [], 'keywords': {'lr': 0.1}}
    """
    if isinstance(value, PurePath | torch.dtype | torch.device | Enum):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): described(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [described(item, where) for item in value]
    if isinstance(value, partial):
        return {
            "call": described(value.func, where),
            "args": described(value.args, where),
            "keywords": {k: described(v, f"{where}, `{k}`") for k, v in sorted(value.keywords.items())},
        }
    name = getattr(value, "__qualname__", "<")
    if "<" not in name:  # `<lambda>`, `<locals>`: the name does not tell them apart
        return f"{value.__module__}.{name}"
    raise ConfigurationError(
        f"{where} must be made of plain values, classes, functions of a module and `functools.partial` of them, found "
        f"{value!r}. Pass `config`, a mapping that names all settings."
    )


def source_digests(cls: type) -> dict[str, str]:
    """SHA-256 of the source of a class and its bases, but those of torch and Lightning, where there is a source.

    Example:
        >>> source_digests(torch.nn.Linear)
        {}
    """
    found = {}
    for base in cls.__mro__:
        if base.__module__.split(".")[0] not in _THEIRS:
            try:
                text = inspect.getsource(base)
            except (OSError, TypeError):  # typed at a prompt
                continue
            found[f"{base.__module__}.{base.__qualname__}"] = hashlib.sha256(text.encode()).hexdigest()
    return found
