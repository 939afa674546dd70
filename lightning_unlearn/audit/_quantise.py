"""Weights with few bits: forgetting by tiny changes of weights is rounded away."""

from __future__ import annotations

import torch
from lightning.pytorch import LightningModule

from lightning_unlearn.audit._loading import copied


def quantised(module: LightningModule, bits: int) -> LightningModule:
    """A copy whose weights of two or more dimensions are rounded to `bits` bits, symmetrically, with one scale a row.

    `w → scale · round(w / scale)`, `scale = max |w| / (2^(bits−1) − 1)` over each output channel; biases and buffers stay. It
    is what weight-only quantisation to the nearest does, in floating point.

    Source: that unlearning comes back so: Zhang et al., "Catastrophic Failure of LLM Unlearning via Quantization", ICLR
    2025, https://arxiv.org/abs/2410.16454.

    Example:
        >>> import lightning as L, torch
        >>> from lightning_unlearn.audit._quantise import quantised
        >>> module = L.LightningModule()
        >>> module.layer = torch.nn.Linear(2, 1, bias=False)
        >>> _ = module.layer.weight.data.copy_(torch.tensor([[0.7, -0.33]]))
        >>> quantised(module, 4).layer.weight.data
        tensor([[ 0.7000, -0.3000]])
    """
    copy = copied(module)
    highest = 2 ** (bits - 1) - 1
    with torch.no_grad():
        for weight in copy.parameters():
            if weight.ndim < 2 or not weight.is_floating_point() or not weight.isfinite().all():
                continue
            largest = weight.abs().flatten(1).amax(1).float()
            scale = largest.where(largest > 0, 1.0) / highest
            rounded = torch.fake_quantize_per_channel_affine(
                weight.float(), scale, torch.zeros_like(scale, dtype=torch.int32), 0, -highest, highest
            )
            weight.copy_(rounded)
    return copy
