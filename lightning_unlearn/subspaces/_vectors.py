"""What a layer multiplies its weight by: the rows of its input, or the patches of an image."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

Convolution: TypeAlias = "nn.Conv1d | nn.Conv2d | nn.Conv3d"
Layer: TypeAlias = "nn.Linear | Convolution"
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def shape_of(layer: Layer) -> tuple[int, int]:
    """Number of groups, and the length d of the vectors that each group's weights `(out / groups, d)` multiply.

    Example:
        >>> from torch import nn
        >>> from lightning_unlearn.subspaces import shape_of
        >>> shape_of(nn.Linear(3, 5)), shape_of(nn.Conv2d(4, 6, 3, groups=2))
        ((1, 3), (2, 18))
    """
    if isinstance(layer, nn.Linear):
        return 1, layer.in_features
    return layer.groups, layer.in_channels // layer.groups * math.prod(layer.kernel_size)


def input_vectors(
    layer: Layer, inputs: Tensor, positions: int | None = None, dtype: torch.dtype | None = None
) -> Tensor:
    """The vectors `x` of `y = W x` that a layer makes of `inputs`, shape `(groups, vectors, d)`.

    For a convolution the patches under its kernel, with its stride, dilation, padding (any `padding_mode`) and groups,
    in the order of `weight.flatten(1)`. Each is one output position of one sample.

    Args:
        layer: a linear or convolution layer.
        inputs: what its forward pass is given, in any of the shapes that it takes.
        positions: at most this many positions of each sample: a fixed choice, spread over all, that depends on their
            number alone; `None` for all. The first dimension counts samples.
        dtype: of the vectors; `None` for that of `inputs`.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from lightning_unlearn.subspaces import input_vectors
        >>> image = torch.arange(16.0).reshape(1, 1, 4, 4)
        >>> input_vectors(nn.Conv2d(1, 1, 2, stride=2), image)[0, :2]
        tensor([[0., 1., 4., 5.],
                [2., 3., 6., 7.]])
    """
    inputs = batched(layer, inputs)
    if isinstance(layer, nn.Linear):
        if positions is not None and inputs.ndim > 2:
            inputs = inputs.flatten(1, -2)
            inputs = torch.stack([inputs[:, i] for i in _spread(inputs.shape[1], positions)], 1)
        return inputs.reshape(1, -1, layer.in_features).to(dtype or inputs.dtype)
    out = _positions_of(layer, inputs)
    padded, pads = _padded(layer, inputs)
    if positions is not None and positions < math.prod(out):
        # one small slice a position: the large input is neither padded nor converted as a whole
        places = [list(map(int, np.unravel_index(i, out))) for i in _spread(math.prod(out), positions)]
        windows = _some_windows(layer, padded, pads, places, dtype or inputs.dtype)
    else:
        windows = _windows(layer, _pad(padded.to(dtype or inputs.dtype), pads))
    groups, length = shape_of(layer)
    split = windows.reshape(
        len(windows), groups, -1, *windows.shape[2:]
    )  # a view: (N, groups, channels, *out, *kernel)
    return split.movedim((1, 2), (0, -1 - len(out))).reshape(groups, -1, length)


def batched(layer: Layer, inputs: Tensor) -> Tensor:
    """`inputs` with a first dimension that counts samples."""
    rank = 2 if isinstance(layer, nn.Linear) else 2 + len(layer.kernel_size)
    return inputs if inputs.ndim >= rank else inputs.unsqueeze(0)


def vectors_in(layer: Layer, inputs: Tensor, positions: int | None) -> int:
    """How many vectors :func:`input_vectors` makes of each sample, for each group."""
    size = inputs.shape[1:-1] if isinstance(layer, nn.Linear) else _positions_of(layer, inputs)
    count = math.prod(size)
    return count if positions is None else min(count, positions)


def _paddings(layer: Convolution) -> list[tuple[int, int]]:
    """Before and behind, dimension by dimension."""
    if layer.padding == "same":  # torch: the odd one goes behind
        totals = [d * (k - 1) for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    sizes = [0] * len(layer.kernel_size) if isinstance(layer.padding, str) else layer.padding
    return [(int(size), int(size)) for size in sizes]


def _positions_of(layer: Convolution, inputs: Tensor) -> list[int]:
    """The output's size."""
    reach = [d * (k - 1) + 1 for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
    inner = [n + sum(pads) for n, pads in zip(inputs.shape[2:], _paddings(layer), strict=True)]
    return [(n - r) // s + 1 for n, r, s in zip(inner, reach, layer.stride, strict=True)]


def _padded(layer: Convolution, inputs: Tensor) -> tuple[Tensor, list[tuple[int, int]]]:
    """The inputs, padded unless with zeros, and the zeros that are still missing."""
    pads = _paddings(layer)
    if layer.padding_mode == "zeros" or not any(map(any, pads)):
        return inputs, pads
    return _pad(inputs, pads, layer.padding_mode), [(0, 0)] * len(pads)


def _pad(inputs: Tensor, pads: list[tuple[int, int]], mode: str = "constant") -> Tensor:
    flat = [size for pair in reversed(pads) for size in pair]  # torch counts dimensions from the last
    return F.pad(inputs, flat, mode=mode) if any(flat) else inputs


def _windows(layer: Convolution, padded: Tensor) -> Tensor:
    """A view, shape (N, channels, *out, *kernel)."""
    for i, (kernel, stride, dilation) in enumerate(
        zip(layer.kernel_size, layer.stride, layer.dilation, strict=True)
    ):
        padded = padded.unfold(2 + i, dilation * (kernel - 1) + 1, stride)[..., ::dilation]
    return padded


def _some_windows(
    layer: Convolution,
    inputs: Tensor,
    pads: list[tuple[int, int]],
    places: list[list[int]],
    dtype: torch.dtype,
) -> Tensor:
    """The windows at some output positions, shape (N, channels, places, *kernel)."""
    found = inputs.new_zeros((*inputs.shape[:2], len(places), *layer.kernel_size), dtype=dtype)
    for number, place in enumerate(places):
        taken: list[slice] = []  # of the inputs
        put: list[slice] = []  # under the kernel; the rest are the zeros of the padding
        for i, (before, _) in enumerate(pads):
            dilation, start = layer.dilation[i], place[i] * layer.stride[i] - before
            inside = [
                j for j in range(layer.kernel_size[i]) if 0 <= start + j * dilation < inputs.shape[2 + i]
            ]
            first, behind = (inside[0], inside[-1] + 1) if inside else (0, 0)
            taken.append(slice(start + first * dilation, start + (behind - 1) * dilation + 1, dilation))
            put.append(slice(first, behind))
        if all(part.stop > part.start for part in put):
            to: tuple[Any, ...] = (slice(None), slice(None), number, *put)
            at: tuple[Any, ...] = (slice(None), slice(None), *taken)
            found[to] = inputs[at]
    return found


def _spread(count: int, at_most: int) -> list[int]:
    """`at_most` different numbers below `count`, in steps of the golden section: no row or column is preferred."""
    step = max(1, round(count * 0.6180339887498949))
    while math.gcd(step, count) != 1:
        step += 1
    return [i * step % count for i in range(min(at_most, count))]
