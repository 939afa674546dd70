"""The retain side of a data module, as ordinary training data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightning as L
from lightning.pytorch.utilities.combined_loader import CombinedLoader
from lightning.pytorch.utilities.model_helpers import is_overridden
from typing_extensions import override

from lightning_unlearn.data import UnlearningDataModule
from lightning_unlearn.data._existing import DELEGATED
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.reference._repeatable import fixed_streams


class RetainData(L.LightningDataModule):
    """Train on the retain side of a data module alone, validate as it does.

    What its `setup` draws from the global random streams is the same in every process, whatever the seed.

    Args:
        inner: data module with a retain side: see :func:`retain_loader`.
        seed: key of the order.
    """

    def __init__(self, inner: L.LightningDataModule, seed: int) -> None:
        super().__init__()
        self._inner, self._seed, self._is_set_up = inner, seed, False
        for name in DELEGATED:
            if is_overridden(name, inner):
                setattr(self, name, getattr(inner, name))

    @override
    def setup(self, stage: str = "fit") -> None:
        self._inner.trainer = self.trainer
        if not self._is_set_up:
            with fixed_streams():
                self._inner.setup(stage)
            self._is_set_up = True

    @override
    def train_dataloader(self) -> Any:
        return retain_loader(self._inner, self._seed)

    @override
    def teardown(self, stage: str) -> None:
        self._inner.teardown(stage)


def retain_loader(data: L.LightningDataModule, seed: int) -> Any:
    """A loader of the retain side alone.

    That of `UnlearningDataModule.retrain_dataloader(seed)`, or what the `train_dataloader()` of another data module has
    under `"retain"`, which is shuffled as it likes (by the global random stream, as a rule, which is seeded).

    Raises:
        ConfigurationError: the data module has none of these.
    """
    if isinstance(data, UnlearningDataModule):
        return data.retrain_dataloader(seed)
    loaders = data.train_dataloader() if is_overridden("train_dataloader", data) else None
    sides = loaders.iterables if isinstance(loaders, CombinedLoader) else loaders
    if isinstance(sides, Mapping) and "retain" in sides:
        return sides["retain"]
    raise ConfigurationError(
        f"`data` must have a retain side, found {type(data).__name__} without. Pass an `UnlearningDataModule`, for "
        "instance `UnlearningDataModule.from_datamodule(yours, forget_class=3)`, or a data module whose "
        '`train_dataloader` gives `{"retain": loader, "forget": loader}`.'
    )
