"""The four streams of random numbers a training step may draw from: torch CPU, torch device, Python, NumPy."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lightning_unlearn.passes._numpy_stream import NumpyStream


class Streams(NamedTuple):
    """A recorded state of all streams."""

    cpu: Tensor
    device: Tensor | None
    python: Any
    numpy: NumpyStream


_last: NumpyStream | None = None  # most often still the state of now


def _device_module(device: torch.device) -> Any:
    return None if device.type in ("cpu", "meta") else torch.get_device_module(device)


def record(device: torch.device) -> Streams:
    """The state of all streams now."""
    module = _device_module(device)
    on_device = None if module is None else module.get_rng_state(device)
    global _last
    _last = NumpyStream.now(_last)
    return Streams(torch.get_rng_state(), on_device, random.getstate(), _last)


def replay(streams: Streams, device: torch.device) -> None:
    """Put all streams into a recorded state."""
    global _last
    _last = streams.numpy
    torch.set_rng_state(streams.cpu)
    if streams.device is not None:
        _device_module(device).set_rng_state(streams.device, device)
    random.setstate(streams.python)
    streams.numpy.replay()


def start(device: torch.device, *key: int) -> None:
    """Put all streams into a state that is a function of `key`."""
    global _last
    _last = None  # from another start, the same key and position may come with a pending normal
    seed = 0
    for k in key:  # as Java's string hash, with a multiplier that spreads over 32 bits; a NumPy seed sequence takes 30 µs
        seed = ((seed + k + 1) * 0x9E3779B1) % 2**32
    torch.default_generator.manual_seed(seed)
    module = _device_module(device)
    if module is not None:
        module.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


@contextmanager
def isolated(device: torch.device) -> Iterator[None]:
    """Whatever the block draws, the streams are afterwards where they were before."""
    streams = record(device)
    try:
        yield
    finally:
        replay(streams, device)


@contextmanager
def keyed(device: torch.device, *key: int) -> Iterator[None]:
    """Inside the block random numbers are a function of `key`; the streams are afterwards where they were before."""
    with isolated(device):
        start(device, *key)
        yield


def to_plain(streams: Streams, device: torch.device) -> dict[str, Any]:
    """The recorded state as tensors and primitives, which load with `weights_only=True`."""
    version, words, gauss = streams.python
    kind, keys, *rest = streams.numpy.state
    return {
        "cpu": streams.cpu,
        "device": None if streams.device is None else [device.type, streams.device],
        "python": [version, torch.tensor(words), gauss],
        "numpy": [str(kind), torch.from_numpy(keys.astype(np.int64)), *(value.real for value in rest)],
    }


def from_plain(plain: dict[str, Any], device: torch.device) -> Streams:
    """The reverse of :func:`to_plain`; the stream of a device of another type is left out."""
    version, words, gauss = plain["python"]
    kind, keys, *rest = plain["numpy"]
    type_, state = plain["device"] or (None, None)
    return Streams(
        plain["cpu"],
        state if type_ == device.type else None,
        (version, tuple(words.tolist()), gauss),
        NumpyStream((kind, keys.numpy().astype(np.uint32), *rest)),
    )
