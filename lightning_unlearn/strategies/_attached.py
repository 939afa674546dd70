from __future__ import annotations

import lightning.pytorch as pl
from typing_extensions import override

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.passes import Session
from lightning_unlearn.strategies._constraint import Constraint


class Attached(pl.Callback):
    """A callback that holds on to a Trainer and a module for the length of a fit, and lets go whatever happens."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._constraint: Constraint | None = None

    @property
    def _attached(self) -> Session:
        if self._session is None:
            raise ConfigurationError(f"`{type(self).__name__}` must be attached to a running `Trainer.fit`.")
        return self._session

    @override
    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit":
            self._detach()

    @override
    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._detach()  # Lightning does not call `teardown` after an exception

    def _detach(self) -> None:
        if self._session is not None:
            self._session.close()
        if self._constraint is not None:
            self._constraint.detach()
        self._session = self._constraint = None
