"""Pairs of batches, taken apart on their way to the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities.model_helpers import is_overridden

from lightning_unlearn.passes import _streams
from lightning_unlearn.passes._patches import Patches
from lightning_unlearn.passes._sides import SIDES, SideName

_HOOKS = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")


class Pairs:
    """Lets Lightning transfer the own half of each pair, and transfers the other half as it would.

    Args:
        trainer: the Trainer.
        module: its module.
        own: the side that Lightning, the module's hooks and all other callbacks see.
        arriving: called when a training batch is about to be transferred, before any hook of the batch.
    """

    def __init__(
        self, trainer: Trainer, module: LightningModule, own: SideName, arriving: Callable[[], None]
    ) -> None:
        self._trainer, self._own, self._arriving = trainer, own, arriving
        self._raw: Mapping[str, Any] = {}
        datamodule: Any = getattr(trainer, "datamodule", None)
        owners = [owner for owner in (module, datamodule) if owner is not None]
        self._may_draw = any(is_overridden(hook, owner) for hook in _HOOKS for owner in owners)
        # Lightning warns about a hook of the module beside a datamodule: patch the module only where it has its own
        of_module = is_overridden(_HOOKS[0], module)
        of_datamodule = datamodule is not None and is_overridden(_HOOKS[0], datamodule)
        uses_module = datamodule is None or (of_module and not of_datamodule)
        self._owner: Any = module if uses_module else datamodule
        self._before_transfer: Callable[[Any, int], Any] = self._owner.on_before_batch_transfer

    def patch(self, patches: Patches) -> None:
        """Stand in for the first of the transfer hooks, of the module or the datamodule."""
        patches.set(self._owner, "on_before_batch_transfer", self._split)

    def __deepcopy__(self, memo: dict[int, Any]) -> Pairs:
        return (
            self  # weight averaging copies the module, with what stands in for its methods: not the data, too
        )

    def _split(self, batch: Any, dataloader_idx: int) -> Any:
        if self._trainer.training:
            self._arriving()
            if isinstance(batch, Mapping) and batch and set(batch) <= set(SIDES):
                self._raw = batch
                batch = batch.get(self._own)
        return self._before_transfer(batch, dataloader_idx)

    def take(self) -> Mapping[str, Any]:
        """The pair that has arrived, as the loaders gave it."""
        raw, self._raw = self._raw, {}
        return raw

    def transferred(self, batch: Any, *key: int) -> Any:
        """The other half through the user's hooks, which may augment: with random streams that start from `key`."""
        device = self._trainer.strategy.root_device
        with _streams.isolated(device) if self._may_draw else nullcontext():
            if self._may_draw:
                _streams.start(device, *key)
            batch = self._before_transfer(batch, 0)
            return self._trainer.strategy.batch_to_device(batch, dataloader_idx=0)
