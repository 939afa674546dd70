"""Two gradients as the rows of one matrix, for rules that look at single entries."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_unlearn._tensors import has_shards
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.gradient import Gradient


def as_rows(u: Gradient, g: Gradient) -> Tensor:
    """Both gradients flat, in at least float32, shape `(2, n)`; an entry that one of them lacks is zero.

    Raises:
        ConfigurationError: an entry is sharded, so that no process has a whole row.
    """
    if has_shards(u.tensors, g.tensors):
        raise ConfigurationError(
            "A rule that looks at single entries of gradients must have them whole, found sharded ones. Take a rule that "
            "needs their inner products alone, such as UPGrad."
        )
    present = [(a, b) for a, b in zip(u.tensors, g.tensors, strict=True) if a is not None or b is not None]
    rows = []
    for side in (0, 1):
        parts = []
        for pair in present:
            own, other = pair[side], pair[1 - side]
            parts.append(torch.zeros_like(other) if own is None else own)  # type: ignore[arg-type]  # one is there
        rows.append(torch.cat([part.reshape(-1) for part in parts]))
    matrix = torch.stack(rows)
    return matrix.to(torch.promote_types(matrix.dtype, torch.float32))


def from_flat(vector: Tensor, u: Gradient, g: Gradient) -> Gradient:
    """The reverse: a vector of `n` entries as a gradient, absent where both are absent."""
    found: dict[str, Tensor | None] = {}
    start = 0
    for name, a, b in zip(u.names, u.tensors, g.tensors, strict=True):
        like = b if a is None else a
        if like is None:
            found[name] = None
            continue
        found[name] = vector[start : start + like.numel()].reshape(like.shape).to(like.dtype)
        start += like.numel()
    return Gradient(found)
