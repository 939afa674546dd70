"""How every audit begins and ends: models, sides and device at the one, files and figures at the other."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import LightningModule
from lightning.pytorch.loggers import Logger
from torch.utils.data import DataLoader

from lightning_unlearn.audit._loading import Weights
from lightning_unlearn.audit._loggers import log_figures
from lightning_unlearn.audit._models import Models, load_models
from lightning_unlearn.audit._report import AuditReport
from lightning_unlearn.audit._sides import Data, loaders_of, use_hooks_of
from lightning_unlearn.audit._stamps import check_stamps
from lightning_unlearn.audit._write import check_writable, write
from lightning_unlearn.errors import ConfigurationError


class Frame:
    """What is there before anything is measured; everything that does not fit is found here.

    Args:
        module: as in `audit`, like all that follow.
        data: the sides.
        original: weights.
        unlearned: weights.
        references: weights.
        output: folder for the report.
        batch_size: for sides that are data sets.
        accelerator: where to compute.

    Attributes:
        loaders: by side.
        models: still where they were loaded; see `device`.
        folder: for the report; only looked at by `prepare`.
        device: where to compute.
    """

    def __init__(
        self,
        module: LightningModule,
        data: Data,
        original: Weights,
        unlearned: Weights,
        references: Sequence[Weights],
        *,
        output: str | Path | None,
        batch_size: int,
        accelerator: str,
    ) -> None:
        self._start = time.perf_counter()
        self.loaders: dict[str, DataLoader[Any]] = loaders_of(data, batch_size)
        self.models = load_models(module, original, unlearned, references)
        retain: Any = self.loaders["retain"].dataset
        check_stamps(references, len(retain))
        use_hooks_of(data, self.models.modules.values())
        self.device = _device(accelerator)
        self.folder = None if output is None else Path(output)

    def prepare(self) -> Models:
        """The last things before work begins: the folder is made, and the models are moved."""
        if self.folder is not None:
            self.folder = check_writable(self.folder)
        return self.models.on(self.device)

    def made(self) -> dict[str, Any]:
        """When, and in how many seconds."""
        return {
            "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - self._start, 1),
        }

    def hand_out(self, report: AuditReport, loggers: Iterable[Logger]) -> None:
        """To the folder, and to the loggers."""
        if self.folder is not None:
            write(report, self.folder)
        log_figures(report, loggers)


def _device(accelerator: str) -> torch.device:
    try:
        return Fabric(accelerator=accelerator, devices=1).device
    except (ValueError, RuntimeError, MisconfigurationException) as error:
        raise ConfigurationError(
            f"`accelerator` must be one that is there, found {accelerator!r}: {error} Use `auto`."
        ) from error
