"""What a set of samples holds, as a short text that changes with any of them."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.reference._repeatable import fixed_streams, start_again

if TYPE_CHECKING:
    from hashlib import _Hash

_PRIMITIVES = (type(None), bool, int, float, complex, str, bytes)
_READ_TWICE = 4  # samples that are read once more, to see whether they stay as they are


def data_digest(dataset: Any) -> str:
    """SHA-256 of the contents of all samples, labels included, whatever their order.

    `sha256(h_1 ‖ … ‖ h_n)`, where `h` are the sorted digests of the samples: of type, shape and bytes of each tensor, array,
    image, number or text in it. While a sample is read, the global random streams stand at a fixed place, so that random
    augmentations of torch, NumPy and Python give the same sample whenever it is read; they are put back afterwards.

    Args:
        dataset: map-style, of n ≥ 1 samples.

    Returns:
        64 hexadecimal digits.

    Raises:
        ConfigurationError: a sample holds something else, or is another one when it is read again.

    Example:
        >>> from torch.utils.data import Subset, TensorDataset
        >>> data = TensorDataset(torch.arange(6.0).reshape(3, 2), torch.tensor([0, 1, 0]))
        >>> data_digest(Subset(data, [2, 0, 1])) == data_digest(data)
        True
        >>> data_digest(Subset(data, [0, 1])) == data_digest(data)
        False
    """
    with fixed_streams():
        digests = [_digest(dataset, i) for i in range(len(dataset))]
        for i in probes(len(dataset), _READ_TWICE):
            if _digest(dataset, i) != digests[i]:
                raise ConfigurationError(
                    f"A sample must be the same whenever it is read, found sample {i} to differ: it "
                    "draws from a random generator of its own. Pass `data_key`, a name for these data."
                )
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def probes(count: int, at_most: int) -> list[int]:
    """Up to `at_most` indices below `count`, evenly spread.

    Example:
        >>> probes(10, 4), probes(2, 4)
        ([0, 2, 5, 7], [0, 1])
    """
    number = min(count, at_most)
    return [i * count // number for i in range(number)]


def sample_digests(dataset: Any, indices: Sequence[int]) -> list[str]:
    """The digests of single samples."""
    with fixed_streams():
        return [_digest(dataset, i).hex() for i in indices]


def _digest(dataset: Any, index: int) -> bytes:
    start_again()
    content = hashlib.sha256()
    _feed(content, dataset[index], f"sample {index}")
    return content.digest()


def _feed(content: _Hash, value: Any, where: str) -> None:
    if isinstance(value, Tensor) and value.layout is torch.strided and not value.is_quantized:
        flat = value.detach().cpu().contiguous().reshape(-1)
        _say(content, "tensor", value.dtype, tuple(value.shape))
        content.update(flat.view(torch.uint8).numpy().tobytes())
    elif isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        _say(content, "array", value.dtype.str, value.shape)
        content.update(value.tobytes())
    elif type(value) in _PRIMITIVES or isinstance(value, PurePath):
        _say(content, type(value).__name__, repr(value))
    elif _is_image(value):
        _say(content, "image", value.mode, value.size)
        content.update(value.tobytes())
    elif isinstance(value, Mapping):
        _say(content, "mapping", len(value))
        for key in sorted(value, key=repr):
            _say(content, repr(key))
            _feed(content, value[key], f"{where}, key {key!r}")
    elif isinstance(value, list | tuple):
        _say(content, "sequence", len(value))
        for item in value:
            _feed(content, item, where)
    elif is_dataclass(value):
        _say(content, "record", type(value).__qualname__)
        for field in fields(value):
            _feed(content, getattr(value, field.name), f"{where}, `{field.name}`")
    else:
        raise ConfigurationError(
            f"A sample must be made of tensors, arrays, images, numbers and texts, found "
            f"{type(value).__name__} in {where}. Pass `data_key`, a name for these data."
        )


def _say(content: _Hash, *words: object) -> None:
    content.update(repr(words).encode())


def _is_image(value: Any) -> bool:
    pil = sys.modules.get("PIL.Image")  # who has an image has imported it
    return pil is not None and isinstance(value, pil.Image)
