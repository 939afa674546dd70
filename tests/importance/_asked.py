"""Something asked of the sources that `prepare` is given, in a fit of one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from lightning_unlearn import UnlearningStrategy
from tests.strategies import _fits as fits


class Preparing(UnlearningStrategy):
    """Keeps what `ask(module, forget, retain)` returns, and takes retain steps."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        super().__init__()
        self.ask = ask

    def prepare(self, module, forget, retain):
        self.answer = self.ask(module, forget, retain)

    def direction(self, forget, retain):
        return retain.gradient()


def asked(ask: Callable[..., Any], module: Any, loaders: Any = None, **trainer: Any) -> Any:
    """What `ask` returns."""
    strategy = Preparing(ask)
    loaders = fits.sides() if loaders is None else loaders
    fits.fit(module, loaders, strategy, **{"max_steps": 1, "max_epochs": -1} | trainer)
    return strategy.answer


def of_pairs(module: Any, batch: Any) -> torch.Tensor:
    """Losses of single samples of a batch (inputs, labels)."""
    return cross_entropy(module(batch[0]), batch[1], reduction="none")


def loader(data: Any, batch_size: int = 4, **arguments: Any) -> DataLoader:
    """With a generator of its own."""
    return DataLoader(data, batch_size, generator=torch.Generator(), **arguments)


def by_hand(net: torch.nn.Module, data: TensorDataset, batch_size: int = 1) -> dict[str, np.ndarray]:
    """Means of squared gradients in evaluation mode, batch by batch, in NumPy; a last smaller batch is left out."""
    net = net.eval()
    inputs, labels = data.tensors
    total = {name: np.zeros(tuple(p.shape)) for name, p in net.named_parameters()}
    starts = range(0, len(inputs) - batch_size + 1, batch_size)
    for start in starts:
        stop = start + batch_size
        loss = cross_entropy(net(inputs[start:stop]), labels[start:stop])
        gradients = torch.autograd.grad(loss, list(net.parameters()))
        for name, gradient in zip(total, gradients, strict=True):
            total[name] += gradient.double().numpy() ** 2
    return {name: value / len(starts) for name, value in total.items()}
