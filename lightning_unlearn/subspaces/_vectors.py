"""What a layer multiplies its weight by: the rows of its input, or the patches of an image."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Layer: TypeAlias = "nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d"
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


def input_vectors(layer: Layer, inputs: Tensor, positions: int | None = None) -> Tensor:
    """The vectors `x` of `y = W x` that a layer makes of `inputs`, shape `(groups, vectors, d)`.

    For a convolution the patches under its kernel, with its stride, dilation, padding (any `padding_mode`) and groups,
    in the order of `weight.flatten(1)`. Each is one output position of one sample.

    Args:
        layer: a linear or convolution layer.
        inputs: what its forward pass is given, in any of the shapes that it takes.
        positions: at most this many positions of each sample: a fixed choice, spread over all, that depends on their
            number alone; `None` for all. The first dimension counts samples.

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
            inputs = inputs[:, _spread(inputs.shape[1], positions, inputs.device)]
        return inputs.reshape(1, -1, layer.in_features)
    size = len(layer.kernel_size)
    windows = _windows(layer, inputs)
    out = windows.shape[2 : 2 + size]
    if positions is not None and positions < math.prod(out):
        chosen = torch.unravel_index(_spread(math.prod(out), positions, inputs.device), out)
        index: tuple[Any, ...] = (slice(None), slice(None), *chosen)
        windows = windows[index]
    groups, length = shape_of(layer)
    split = windows.reshape(
        len(windows), groups, -1, *windows.shape[2:]
    )  # a view: (N, groups, channels, *out, *kernel)
    return split.movedim((1, 2), (0, -1 - size)).reshape(groups, -1, length)


def batched(layer: Layer, inputs: Tensor) -> Tensor:
    """`inputs` with a first dimension that counts samples."""
    rank = 2 if isinstance(layer, nn.Linear) else 2 + len(layer.kernel_size)
    return inputs if inputs.ndim >= rank else inputs.unsqueeze(0)


def vectors_in(layer: Layer, inputs: Tensor, positions: int | None) -> int:
    """How many vectors :func:`input_vectors` makes of each sample, for each group."""
    if isinstance(layer, nn.Linear):
        count = math.prod(inputs.shape[1:-1])
    else:
        count = math.prod(_windows(layer, inputs[:1]).shape[2 : inputs.ndim])
    return count if positions is None else min(count, positions)


def _windows(layer: nn.Conv1d | nn.Conv2d | nn.Conv3d, inputs: Tensor) -> Tensor:
    """A view of the padded inputs, shape (N, channels, *out, *kernel)."""
    pads: list[int] = []
    for i, (kernel, dilation) in enumerate(zip(layer.kernel_size, layer.dilation, strict=True)):
        if isinstance(layer.padding, str):
            total = dilation * (kernel - 1) if layer.padding == "same" else 0
            pads = [total // 2, total - total // 2, *pads]  # torch: the odd one goes behind
        else:
            pads = [layer.padding[i], layer.padding[i], *pads]
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    windows = F.pad(inputs, pads, mode=mode) if any(pads) else inputs
    for i, (kernel, stride, dilation) in enumerate(
        zip(layer.kernel_size, layer.stride, layer.dilation, strict=True)
    ):
        windows = windows.unfold(2 + i, dilation * (kernel - 1) + 1, stride)[..., ::dilation]
    return windows


def _spread(count: int, at_most: int, device: torch.device) -> Tensor:
    """`at_most` different numbers below `count`, in steps of the golden section: no row or column is preferred."""
    step = max(1, round(count * 0.6180339887498949))
    while math.gcd(step, count) != 1:
        step += 1
    return torch.arange(min(at_most, count), device=device) * step % count
