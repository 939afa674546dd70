"""Patches of convolutions by explicit loops over output positions, in NumPy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def patches(layer: Any, inputs: np.ndarray) -> np.ndarray:
    """What `layer` multiplies its weight by, shape (groups, samples · positions, channels / groups · kernel)."""
    kernel, stride, dilation = layer.kernel_size, layer.stride, layer.dilation
    if layer.padding == "same":
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        pads = [(t // 2, t - t // 2) for t in totals]
    else:
        pads = [(0, 0) if layer.padding == "valid" else (p, p) for p in _each(layer.padding, len(kernel))]
    padded = np.pad(inputs, [(0, 0), (0, 0), *pads], mode=MODES[layer.padding_mode])
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    sizes = [(n - r) // s + 1 for n, r, s in zip(padded.shape[2:], reach, stride, strict=True)]
    own = inputs.shape[1] // layer.groups
    found: list[list[np.ndarray]] = [[] for _ in range(layer.groups)]
    for sample, group in itertools.product(padded, range(layer.groups)):
        for at in itertools.product(*map(range, sizes)):
            patch = sample[group * own : (group + 1) * own]
            for axis, (i, k, s, d) in enumerate(zip(at, kernel, stride, dilation, strict=True), start=1):
                patch = np.take(patch, [i * s + j * d for j in range(k)], axis=axis)
            found[group].append(patch.reshape(-1))
    return np.array(found)


def _each(padding: Any, size: int) -> list[Any]:
    return list(padding) if not isinstance(padding, str) else [0] * size
