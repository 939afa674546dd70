"""Which loaders a monitor evaluates: both sides of the train loader, and test data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch.utils.data import DataLoader

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.passes import Source
from lightning_unlearn.passes._loaders import length_of


def find_sources(
    trainer: Trainer, module: LightningModule, test: Any, max_samples: int | None
) -> dict[str, Source]:
    """The sources by name: `forget`, and `retain` and `test` where there are such data.

    Args:
        trainer: a Trainer that has its train loaders.
        module: its module.
        test: a loader, or `None` for the datamodule's.
        max_samples: of the retain and the test side.

    Raises:
        ConfigurationError: no forget side, test data that is not one loader, or a loader of unknown length.
    """
    loaders: Any = getattr(trainer.train_dataloader, "iterables", trainer.train_dataloader)
    sides = dict(loaders) if isinstance(loaders, Mapping) else {}
    if "forget" not in sides:
        raise ConfigurationError(
            'The train loader must have the side "forget" to be evaluated, found '
            f"{sorted(sides) or 'none'}. Use `UnlearningDataModule`, or "
            '`trainer.fit(module, {"retain": loader, "forget": loader})`.'
        )
    if test is None:
        test = _test_of_datamodule(trainer)
    if test is not None and not isinstance(test, DataLoader):
        raise ConfigurationError(
            f"The test data must be one `DataLoader`, found a {type(test).__name__}. Pass `test=DataLoader(...)`."
        )
    candidates = {"forget": sides["forget"], "retain": sides.get("retain"), "test": test}
    named = {name: loader for name, loader in candidates.items() if loader is not None}
    limit = trainer.limit_train_batches if getattr(trainer, "fast_dev_run", False) else None
    for name, loader in named.items():
        if limit is None and length_of(loader) is None:
            raise ConfigurationError(
                f'The "{name}" loader must have a length to be evaluated, found a {type(loader).__name__} without one. '
                "Use a map-style data set, or leave `ForgettingMonitor` out."
            )
    return {
        name: Source(
            trainer,
            module,
            loader,
            f"evaluate {name}",
            limit=None if limit is None else int(limit),
            at_most=None if name == "forget" else max_samples,
        )
        for name, loader in named.items()
    }


def _test_of_datamodule(trainer: Trainer) -> Any:
    datamodule = getattr(trainer, "datamodule", None)
    if datamodule is None or not is_overridden("test_dataloader", datamodule):
        return None
    try:
        return datamodule.test_dataloader()
    except Exception:  # many make their test set in `setup("test")` only, and fail here in ways of their own
        datamodule.setup("test")
        return datamodule.test_dataloader()
