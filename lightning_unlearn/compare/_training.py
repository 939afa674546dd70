"""How originals and references are trained, and what an unlearning shares with that."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pydoc import locate
from typing import Any

from jsonargparse import Namespace
from torch.utils.data import Dataset
from typing_extensions import override

from lightning_unlearn.compare._classes import completed
from lightning_unlearn.compare._request import FORGET
from lightning_unlearn.data import UnlearningDataModule
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.reference._config import Configured

# how long the original is trained and what is shown meanwhile; an unlearning has settings of its own
_UNLEARNING_TRAINER: dict[str, Any] = {
    "max_epochs": -1,
    "min_epochs": None,
    "min_steps": None,
    "max_time": None,
    "limit_train_batches": None,
    "limit_val_batches": 0,
    "overfit_batches": 0.0,
    "num_sanity_val_steps": 0,
    "val_check_interval": None,
    "check_val_every_n_epoch": 1,
    "callbacks": None,
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


class Nobody(Dataset[None]):
    """The forget set of an original, which is trained on everything; never read."""

    def __len__(self) -> int:
        return 1


class Training(Configured):
    """Trains on the retain set of a request, or on everything.

    Args:
        config: sections of LightningCLI, without what is to be forgotten.
        forget: what is, as arguments of an :class:`UnlearningDataModule`; `None` for nothing.
    """

    def __init__(self, config: Namespace, forget: Mapping[str, Any] | None) -> None:
        if _splits(config):
            nobody = {"class_path": f"{Nobody.__module__}.{Nobody.__qualname__}"}
            config = _with(config, "data.init_args", {"forget": nobody} if forget is None else forget)
        super().__init__(config)
        self._forget = forget

    @override
    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_forget": self._forget}

    @override
    def data(self) -> UnlearningDataModule:
        """The data module; that of the configuration has been split if it was none that splits."""
        made = super().data()
        if isinstance(made, UnlearningDataModule):
            return made
        return UnlearningDataModule.from_datamodule(
            made, **({"forget": Nobody()} if self._forget is None else self._forget)
        )

    def unlearning(self, max_steps: int, model: Mapping[str, Any]) -> Training:
        """The same for an unlearning: on the same device, with the same precision, clipping and so on.

        Args:
            max_steps: optimiser steps.
            model: arguments of the module that differ.
        """
        config = _with(self._config, "model.init_args", model)
        config = _with(config, "trainer", {**_UNLEARNING_TRAINER, "max_steps": max_steps})
        changed = copy.copy(self)
        changed._config = config
        return changed


def check_sections(config: Namespace) -> None:
    """Refuse a configuration without data, and data that say themselves what is forgotten.

    Raises:
        ConfigurationError: either of these.
    """
    if config.get("data") is None:
        raise ConfigurationError(
            "`data` must be a data module, found none. Write the class and the arguments of an `UnlearningDataModule`, or of your own."
        )
    if not _splits(config):
        return
    given = config.data.get("init_args")
    said = [name for name in FORGET[:-1] if given is not None and given.get(name) is not None]
    if said:
        raise ConfigurationError(
            f"`data` must not say what is forgotten, found `{said[0]}`. Write it below `forget` of one of the `requests`."
        )


def check_model(config: Namespace, arguments: Mapping[str, Any], what: str) -> None:
    """Refuse arguments that the module does not have.

    Raises:
        ConfigurationError: one is unknown or of another type.
    """
    cls: Any = locate(config.model.class_path)
    given = config.model.get("init_args")
    own = {} if given is None else given.as_dict()
    completed(cls, {**own, **arguments}, what)


def _with(config: Namespace, section: str, values: Mapping[str, Any]) -> Namespace:
    changed = config.clone()
    for name, value in values.items():
        changed[f"{section}.{name}"] = value
    return changed


def _splits(config: Namespace) -> bool:
    cls = locate(config.data.class_path)
    return isinstance(cls, type) and issubclass(cls, UnlearningDataModule)
