"""The two loaders of an epoch, equally long."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Literal

import torch
from torch.utils.data import DataLoader, Dataset, Subset

from lightning_unlearn.data._checks import check_integer
from lightning_unlearn.data._loader import StreamLoader
from lightning_unlearn.data._sampler import CycleSampler, keyed_generator
from lightning_unlearn.data._split import Split
from lightning_unlearn.errors import ConfigurationError

SideName = Literal["retain", "forget"]


@dataclass(frozen=True)
class Streams:
    """How batches are made from a split; knows nothing of a Trainer.

    Args:
        batch_size: Samples of a retain batch on one replica, ≥ 1.
        forget_batch_size: The same for the forget side; `None` for `batch_size`.
        epoch: The side that is visited once per epoch.
        num_workers: Worker processes of each loader, ≥ 0.
        seed: Key of the order.
        collate_fn: Makes a batch of a list of samples; `None` for torch's own.
        pin_memory: Whether batches are copied to page-locked memory.
        extra: Further arguments of the loaders.

    Raises:
        ConfigurationError: If a value is outside its range.

    Example:
        >>> Streams(batch_size=8).size_of("forget")
        8
    """

    batch_size: int = 128
    forget_batch_size: int | None = None
    epoch: SideName = "retain"
    num_workers: int = 0
    seed: int = 0
    collate_fn: Callable[[list[Any]], Any] | None = None
    pin_memory: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_integer("batch_size", self.batch_size, 1)
        if self.forget_batch_size is not None:
            check_integer("forget_batch_size", self.forget_batch_size, 1)
        check_integer("num_workers", self.num_workers, 0)
        check_integer("seed", self.seed, 0)
        if self.epoch not in ("retain", "forget"):
            raise ConfigurationError(
                f'`epoch` must be "retain" or "forget", found {self.epoch!r}.'
                " Pass the side whose samples are all visited once per epoch."
            )

    def size_of(self, side: SideName) -> int:
        """Return the batch size of a side on one replica."""
        return self.batch_size if side == "retain" else self.forget_batch_size or self.batch_size

    def loader(self, split: Split, side: SideName, num_replicas: int = 1, rank: int = 0) -> StreamLoader:
        """Make a fresh loader of one side, shuffled, for one replica."""
        dataset: Dataset[Any] = getattr(split, side)
        size = self.size_of(side)
        sampler = CycleSampler(
            dataset,
            batch_size=size,
            steps=self._steps(split, num_replicas),
            num_replicas=num_replicas,
            rank=rank,
            seed=self.seed,
            side=side,
        )
        return StreamLoader(
            dataset, batch_size=size, sampler=sampler, generator=torch.Generator(), **self._options()
        )

    def retrain_loader(self, split: Split, seed: int) -> StreamLoader:
        """Make a fresh loader of the retain side alone: each sample once an epoch, the last batch short."""
        count = len(split.retain)  # type: ignore[arg-type]
        size = self.size_of("retain")
        sampler = CycleSampler(
            split.retain, batch_size=size, steps=ceil(count / size), seed=seed, side="retrain"
        )
        sampler.num_samples = sampler.total_size = count
        return StreamLoader(
            split.retain, batch_size=size, sampler=sampler, generator=torch.Generator(), **self._options()
        )

    def overfit_loader(self, split: Split, side: SideName, num_replicas: int = 1) -> DataLoader[Any]:
        """Make a loader in fixed order for Lightning's `overfit_batches`, as long as the shuffled one.

        Lightning exchanges shuffling samplers for sequential ones: a small forget set would then end early.
        """
        length = self._steps(split, num_replicas) * self.size_of(side) * num_replicas
        dataset: Any = getattr(split, side)
        return self.plain_loader(Subset(dataset, [i % len(dataset) for i in range(length)]), side)

    def plain_loader(self, dataset: Dataset[Any], side: SideName = "retain") -> DataLoader[Any]:
        """Make a loader of a whole dataset in its own order, the last batch short."""
        generator = keyed_generator("plain", self.seed)
        return DataLoader(dataset, batch_size=self.size_of(side), generator=generator, **self._options())

    def _steps(self, split: Split, num_replicas: int) -> int:
        dataset: Any = getattr(split, self.epoch)
        return ceil(len(dataset) / (self.size_of(self.epoch) * num_replicas))

    def _options(self) -> dict[str, Any]:
        return {
            "num_workers": self.num_workers,
            "collate_fn": self.collate_fn,
            "pin_memory": self.pin_memory,
            **self.extra,
        }
