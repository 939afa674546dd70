"""What is found out, and refused, before any reference is trained."""

from __future__ import annotations

import hashlib
import logging
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import lightning as L
from torch.utils.data import DataLoader

from lightning_unlearn.data import UnlearningDataModule
from lightning_unlearn.data._checks import check_sized
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.reference._description import canonical, source_digests
from lightning_unlearn.reference._known import Known, known_of
from lightning_unlearn.reference._recipe import Recipe
from lightning_unlearn.reference._repeatable import fixed_streams
from lightning_unlearn.reference._retain import RetainData, retain_loader
from lightning_unlearn.reference._tame import tame


@dataclass(frozen=True)
class Prepared:
    """What all references of a call share.

    Attributes:
        recipe: pickled.
        config: settings, as canonical JSON.
        retain: the retain set.
        left_out: class names of callbacks that do not take part.
        on_cpu: whether the Trainer computes there.
    """

    recipe: bytes
    config: str
    retain: Known
    left_out: tuple[str, ...]
    on_cpu: bool


def prepare(recipe: Recipe, data_key: str | None) -> Prepared:
    """Make what each process will make, once, from the same bytes, and look at it.

    Raises:
        ConfigurationError: something does not fit.
    """
    pickled = _pickled(recipe)
    made: Recipe = pickle.loads(pickled)
    with fixed_streams(), _without_tips():
        trainer = made.trainer()
        left_out = tame(trainer)
        module = made.module()
    if not isinstance(module, L.LightningModule):
        raise ConfigurationError(
            f"`module` must make a LightningModule, found that it makes {type(module).__name__}. Pass its class, or a "
            "function that returns it."
        )
    with fixed_streams():
        data = made.data()
    retain = RetainData(data, 0)
    retain.trainer = data.trainer = trainer
    data.prepare_data()
    retain.setup()
    loader = retain_loader(data, 0)
    if not isinstance(loader, DataLoader):
        raise ConfigurationError(
            f"The retain side of `data` must be a `DataLoader`, found {type(loader).__name__}. Return one."
        )
    dataset: Any = loader.dataset
    check_sized("the retain set", dataset)
    settings = {"settings": made.described(data), "sources": source_digests(type(module))}
    return Prepared(
        pickled,
        canonical(settings),
        known_of(dataset, None if data_key is None else _named(data_key, data, len(dataset))),
        tuple(left_out),
        trainer.strategy.root_device.type == "cpu",
    )


@contextmanager
def _without_tips() -> Iterator[None]:
    """This Trainer does not train: that it has found a device is no news."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(level)


def _pickled(recipe: Recipe) -> bytes:
    try:
        return pickle.dumps(recipe)
    except Exception as error:
        raise ConfigurationError(
            f"`module`, `data` and `trainer` must be things that can be pickled, for processes of their own, found that "
            f"they cannot: {error}. Pass classes, functions of a module and `functools.partial` of them, not lambdas."
        ) from error


def _named(data_key: str, data: L.LightningDataModule, samples: int) -> str:
    forgotten = data.forget_indices if isinstance(data, UnlearningDataModule) else None
    indices = None if forgotten is None else hashlib.sha256(forgotten.numpy().tobytes()).hexdigest()
    return hashlib.sha256(canonical(["data_key", data_key, samples, indices]).encode()).hexdigest()
