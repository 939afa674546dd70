"""Where the user's `self.log` goes while one of our passes runs their `training_step`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.data import extract_batch_size
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torchmetrics import Metric

PREFIX = "unlearn/forget/"
_POSITIONAL = tuple(inspect.signature(LightningModule.log).parameters)[3:]  # after self, name and value


class LogRouter:
    """Stands in for `module.log`: passes through, renames, or drops.

    One object for the whole fit, because a compiled `training_step` is guarded on the identity of what it calls.
    """

    def __init__(self, module: LightningModule) -> None:
        self._log: Callable[..., None] = module.log
        self._mode: tuple[str, Any] = ("through", None)
        self.replacement = torch.compiler.disable(self._route)  # type: ignore[no-untyped-call]

    @contextmanager
    def through(self) -> Iterator[None]:
        """What is logged in the block appears as it is."""
        with self._switched("through", None):
            yield

    @contextmanager
    def renamed(self, batch: Any) -> Iterator[None]:
        """What is logged in the block appears under `unlearn/forget/<name>`, weighted by the size of `batch`."""
        with self._switched("renamed", batch):
            yield

    @contextmanager
    def dropped(self) -> Iterator[None]:
        """Nothing that is logged in the block appears."""
        with self._switched("dropped", None):
            yield

    @contextmanager
    def _switched(self, mode: str, batch: Any) -> Iterator[None]:
        previous, self._mode = self._mode, (mode, batch)
        try:
            yield
        finally:
            self._mode = previous

    def _route(self, name: str, value: Any, *args: Any, **kwargs: Any) -> None:
        mode, batch = self._mode
        if mode == "through":
            self._log(name, value, *args, **kwargs)
        elif mode == "renamed":
            self._renamed(name, value, batch, *args, **kwargs)

    def _renamed(self, name: str, value: Any, batch: Any, *args: Any, **kwargs: Any) -> None:
        kwargs |= zip(_POSITIONAL, args, strict=False)
        kwargs.pop("prog_bar", None)  # the bar is the user's: their retain-side number is there already
        if isinstance(
            value, Metric
        ):  # the object itself is put back after the pass: log the value of this batch
            value = value._forward_cache  # private: no public way to the value of the last batch
            kwargs.pop("metric_attribute", None)
            if value is None:
                return
        if kwargs.get("batch_size") is None:
            kwargs["batch_size"] = _size_of(batch)
        self._log(PREFIX + name, value, **kwargs)


def _size_of(batch: Any) -> int:
    """Weight of a batch in an epoch's mean; 1 where it cannot be told, as it matters to nothing else."""
    try:
        return extract_batch_size(batch)
    except MisconfigurationException:
        return 1
