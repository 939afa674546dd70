"""Small data, quiet Trainers, recording loggers: what every law is run with."""

from __future__ import annotations

import random
from typing import Any

import lightning.pytorch as L
import numpy as np
import torch
from lightning.pytorch.loggers.logger import Logger
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

FEATURES, CLASSES = 4, 3
QUIET = {
    "accelerator": "cpu",
    "devices": 1,
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "max_epochs": 2,
    "log_every_n_steps": 1,
}


def samples(count: int, seed: int, dtype: torch.dtype = torch.float64) -> TensorDataset:
    """Inputs and labels drawn from a stream of their own."""
    stream = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, FEATURES, generator=stream, dtype=torch.float64).to(dtype)
    return TensorDataset(inputs, torch.randint(CLASSES, (count,), generator=stream))


def sides(
    retain: int = 20, forget: int = 12, batch_size: int = 4, dtype: torch.dtype = torch.float64
) -> dict[str, DataLoader]:
    """Loaders of both sides, unshuffled."""
    return {
        "retain": DataLoader(samples(retain, 1, dtype), batch_size),
        "forget": DataLoader(samples(forget, 2, dtype), batch_size, generator=torch.Generator()),
    }


def shuffled_sides(dtype: torch.dtype = torch.float32) -> dict[str, DataLoader]:
    """The retain side draws from the global stream, as a user's loader does; the forget side from its own."""
    return {
        "retain": DataLoader(samples(20, 1, dtype), 4, shuffle=True),
        "forget": DataLoader(
            samples(12, 2, dtype), 4, shuffle=True, generator=torch.Generator().manual_seed(5)
        ),
    }


def pairs(loaders: dict[str, DataLoader]) -> list[dict[str, list[Tensor]]]:
    """The batches of one epoch: as long as the longer side, the shorter one starts over."""
    batches = {side: list(loader) for side, loader in loaders.items()}
    longest = max(map(len, batches.values()))
    return [{side: own[t % len(own)] for side, own in batches.items()} for t in range(longest)]


def poisoned(loader: DataLoader, batch: int, value: float = float("nan")) -> DataLoader:
    """The same loader, with one number of one of its batches replaced."""
    assert loader.batch_size is not None
    inputs, labels = (t.clone() for t in loader.dataset.tensors)  # type: ignore[attr-defined]
    inputs[batch * loader.batch_size, 0] = value
    return DataLoader(TensorDataset(inputs, labels), loader.batch_size, generator=loader.generator)


def fit(module: L.LightningModule, data: Any, *callbacks: L.Callback, **arguments: Any) -> L.Trainer:
    """Fit quietly; `data` are train loaders or a datamodule."""
    trainer = L.Trainer(**{**QUIET, **arguments}, callbacks=list(callbacks))
    if isinstance(data, L.LightningDataModule):
        trainer.fit(module, datamodule=data)
    else:
        trainer.fit(module, data)
    return trainer


def weights(module: torch.nn.Module) -> dict[str, Tensor]:
    """A copy of all parameters."""
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    """Whether two sets of tensors agree bit for bit."""
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def distance(left: dict[str, Tensor], right: dict[str, Tensor]) -> float:
    """Largest difference of an entry; NaN if one is."""
    return max(float((left[n].double() - right[n].double()).abs().max()) for n in left)


def finite(tensors: dict[str, Tensor]) -> bool:
    """Whether every entry is finite."""
    return all(bool(tensor.isfinite().all()) for tensor in tensors.values())


def streams() -> tuple[Any, ...]:
    """The state of the random streams, comparable with `==`."""
    kind, keys, *rest = np.random.get_state()
    device = (
        tuple(state.numpy().tobytes() for state in torch.cuda.get_rng_state_all())
        if torch.cuda.is_available()
        else ()
    )
    return torch.get_rng_state().numpy().tobytes(), device, random.getstate(), (kind, keys.tobytes(), *rest)


def seed_all(seed: int = 0) -> None:
    """Start all streams from `seed`."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class Recording(Logger):
    """Keeps what it is given, and can leave out what a strategy reports."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[tuple[int | None, dict[str, float]]] = []

    @property
    def name(self) -> str:
        return "recording"

    @property
    def version(self) -> int:
        return 0

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        pass

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.records.append((step, dict(metrics)))

    def of_user(self) -> list[tuple[int | None, dict[str, float]]]:
        """All records without the keys of the package, and without those that held nothing else."""
        kept = [(step, of_user(metrics)) for step, metrics in self.records]
        return [(step, metrics) for step, metrics in kept if metrics.keys() - {"epoch"}]

    def names(self) -> set[str]:
        """All names that were ever logged."""
        return {name for _, metrics in self.records for name in metrics}


def of_user(metrics: dict[str, Any]) -> dict[str, Any]:
    """Metrics without the keys of the package."""
    return {k: float(v) for k, v in metrics.items() if not k.startswith("unlearn/")}


class Watch(L.Callback):
    """Keeps the weights (and the loss scale) before each batch and after the last."""

    def __init__(self) -> None:
        self.weights: list[dict[str, Tensor]] = []
        self.scales: list[float] = []

    def _take(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.weights.append(weights(module))
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        self.scales.append(1.0 if scaler is None else scaler.get_scale())

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        self._take(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._take(trainer, pl_module)
