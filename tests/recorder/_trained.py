"""Trainings that record, and what they should have recorded."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as L
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from tests.strategies import _fits as fits
from tests.strategies._modules import Net, Traces


class Classifier(Net):
    """Two layers and a batch normalisation: evaluation mode gives other inputs than training mode."""

    def build(self) -> nn.Module:
        hidden = nn.BatchNorm1d(5)
        return nn.Sequential(nn.Linear(fits.FEATURES, 5), hidden, nn.Tanh(), nn.Linear(5, fits.CLASSES))


class Validated(Classifier):
    """With a validation loop, at whose end `ModelCheckpoint` saves."""

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("validation", self(batch[0]).mean())

    def val_dataloader(self) -> Any:
        return DataLoader(fits.samples(8, 9), 4)


def loader(dtype: torch.dtype = torch.float64) -> Any:
    """Shuffled from the global stream."""
    return DataLoader(fits.samples(20, 1, dtype), 4, shuffle=True)


def trained(
    *callbacks: L.Callback, data: Any = None, module: Any = None, **trainer: Any
) -> tuple[L.Trainer, Any]:
    """A fit of two epochs from the same random state."""
    user = Classifier() if module is None else module
    fits.seed_all()
    return fits.fit(user, loader() if data is None else data, *callbacks, **trainer), user


def by_hand(state: dict[str, Tensor], inputs: Tensor) -> dict[str, Tensor]:
    """The sums for a :class:`Classifier` with these weights."""
    user = Classifier()
    user.load_state_dict(state)
    user.eval()
    with torch.no_grad():
        hidden = user.net[:3](inputs)
    return {"net.0.weight": inputs.T @ inputs, "net.3.weight": hidden.T @ hidden}


__all__ = ["Classifier", "Traces", "Validated", "by_hand", "loader", "trained"]
