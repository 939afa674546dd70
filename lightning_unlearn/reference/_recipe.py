"""How a reference is made: three things to be called in each process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import lightning as L

from lightning_unlearn.reference._description import described
from lightning_unlearn.reference._retain import retain_loader

# arguments of a Trainer that say where it runs and what it shows, but not what it learns
SHOW = (
    *("accelerator", "devices", "num_nodes", "strategy", "logger", "default_root_dir", "log_every_n_steps"),
    *("enable_checkpointing", "enable_progress_bar", "enable_model_summary", "enable_autolog_hparams"),
    *("profiler", "detect_anomaly", "barebones", "num_sanity_val_steps", "model_registry"),
)


class Recipe(Protocol):
    """Can be pickled; what it makes is made anew."""

    def data(self) -> L.LightningDataModule:
        """The data module, with a retain side once it is set up."""

    def module(self) -> L.LightningModule:
        """The module, untrained; draws its first weights from the global random stream."""

    def trainer(self) -> L.Trainer:
        """The Trainer."""

    def described(self, data: L.LightningDataModule) -> Any:
        """All settings that matter for the result, as plain values; `data` is set up."""


@dataclass(frozen=True)
class Live:
    """Of objects of a program.

    Args:
        make_module: makes the module.
        datamodule: the data module, or what makes it.
        make_trainer: makes the Trainer.
        config: stands for all settings.
    """

    make_module: Callable[[], L.LightningModule]
    datamodule: L.LightningDataModule | Callable[[], L.LightningDataModule]
    make_trainer: Callable[[], L.Trainer]
    config: Mapping[str, Any] | None

    def data(self) -> L.LightningDataModule:
        given = self.datamodule
        return given if isinstance(given, L.LightningDataModule) else given()

    def module(self) -> L.LightningModule:
        return self.make_module()

    def trainer(self) -> L.Trainer:
        return self.make_trainer()

    def described(self, data: L.LightningDataModule) -> Any:
        if self.config is not None:
            return described(self.config, "`config`")
        loader = retain_loader(data, 0)
        trainer = described(self.make_trainer, "`trainer`")
        if isinstance(trainer, dict):
            for name in SHOW:
                trainer["keywords"].pop(name, None)
        return {
            "model": described(self.make_module, "`module`"),
            "data": {
                "class": described(type(data), "`data`"),
                "batch_size": loader.batch_size,
                "collate_fn": described(loader.collate_fn, "`collate_fn` of `data`"),
            },
            "trainer": trainer,
        }
