"""PGU on the nets of the laws: a checkpoint for whichever module comes, and what it must then do, in NumPy."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softmax
from torch.utils.data import DataLoader

from lightning_unlearn.passes import Source
from lightning_unlearn.subspaces import Covariances
from tests.strategies._fits import samples

THRESHOLD = 0.7


def recorded(kind: Any, **arguments: Any) -> Any:
    """A PGU whose checkpoint is written at the start: of the laws' retain samples and the forget set, at the weights of then."""
    strategy = kind("written at the start", threshold=THRESHOLD, **arguments)
    prepare = strategy.prepare

    def prepare_with_file(module: Any, forget: Any, retain: Any) -> None:
        data = samples(20, 1, next(module.parameters()).dtype)
        source = Source(forget._trainer, module, DataLoader(data, 4), "retain")
        kept, gone = (Covariances.measured(module, side) for side in (source, forget))
        blocks = {name: kept.blocks.get(name, 0.0) + block for name, block in gone.blocks.items()}
        full = Covariances(kept.blocks | blocks, gone.scales | kept.scales, None, kept.weights)
        with tempfile.TemporaryDirectory() as folder:
            strategy.covariance = Path(folder, "trained.ckpt")
            torch.save({"input_covariances": full.to_plain()}, strategy.covariance)
            prepare(module, forget, retain)

    strategy.prepare = prepare_with_file
    return strategy


def confusion(logits: Tensor, labels: Tensor) -> Tensor:
    p = softmax(logits, dim=1)
    true = p[torch.arange(len(labels)), labels]
    return -torch.log(1 - (true - 0.05)).mean() + 0.2 * (p * p.log()).sum(dim=1).mean()


def dominant(inputs: np.ndarray, threshold: float, energy: bool = False) -> np.ndarray:
    """The first right singular vectors of a matrix of inputs, as rows."""
    _, sizes, rows = np.linalg.svd(inputs)
    sizes = sizes**2 if energy else sizes
    shares = np.cumsum(sizes) / sizes.sum()
    return rows[: max(1, int((shares <= threshold).sum()))]


def free_part(original: nn.Module, flat: np.ndarray, energy: bool = False) -> np.ndarray:
    """What of a change of all weights is left: nothing of biases, of a layer's weight what its retain inputs do not see."""
    x: Tensor = samples(20, 1).tensors[0]
    parts, start = [], 0
    with torch.no_grad():
        for layer in original:  # type: ignore[attr-defined]  # a sequence of layers
            for name, p in layer.named_parameters():
                own = flat[start : start + p.numel()].reshape(tuple(p.shape))
                start += p.numel()
                if name == "weight":
                    rows = dominant(x.numpy(), THRESHOLD, energy)
                    parts.append(own - own @ rows.T @ rows)
                else:
                    parts.append(np.zeros_like(own))
            x = layer(x)
    return np.concatenate([part.reshape(-1) for part in parts])


def without_biases(original: nn.Module) -> np.ndarray:
    """Which weights have a direction at all."""
    return np.concatenate([np.full(p.numel(), n.endswith("weight")) for n, p in original.named_parameters()])
