"""The data of an audit, from a data module or by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.utilities.model_helpers import is_overridden
from lightning.pytorch.utilities.seed import isolate_rng
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset

from lightning_unlearn.data import UnlearningDataModule
from lightning_unlearn.data._existing import DELEGATED, problem_of
from lightning_unlearn.errors import ConfigurationError

Data: TypeAlias = "LightningDataModule | Mapping[str, Dataset[Any] | DataLoader[Any]]"

NAMES = ("forget", "retain", "test", "unseen")


def loaders_of(data: Data, batch_size: int) -> dict[str, DataLoader[Any]]:
    """A loader of each side that visits every sample once.

    Args:
        data: a data module, or the sides by name.
        batch_size: for sides that are data sets; loaders, and those of a data module, keep theirs.

    Raises:
        ConfigurationError: a side is missing, empty, unknown or of no known length.
    """
    sides = _sides(data)
    unknown = sorted(sides.keys() - set(NAMES))
    if unknown or not {"forget", "retain"} <= sides.keys():
        raise ConfigurationError(
            f"`data` must have the sides `forget` and `retain`, and may have `test` and `unseen`, found {sorted(sides)}."
        )
    loaders = {}
    for name in NAMES:
        side = sides.get(name)
        if side is None:
            continue
        loader = side if isinstance(side, DataLoader) else DataLoader(side, batch_size)
        if not hasattr(loader.dataset, "__len__") or not hasattr(loader.dataset, "__getitem__"):
            raise ConfigurationError(
                f"`{name}` must be a map-style data set, found {type(loader.dataset).__name__} without `__len__` or "
                "`__getitem__`. Put its samples into a list."
            )
        problem = problem_of(loader) or ("`drop_last=True`" if loader.drop_last else None)
        if problem is not None:
            raise ConfigurationError(
                f"`{name}` must be a data set, or a loader that visits all of its own, found {problem}. Pass "
                "`Subset(dataset, indices)`: treatments draw from the data set, and not from the sampler."
            )
        if len(loader.dataset) == 0:
            raise ConfigurationError(f"`{name}` must hold at least one sample, found none.")
        loaders[name] = loader
    return loaders


def _sides(data: Data) -> Mapping[str, Any]:
    if isinstance(data, Mapping):
        return data
    if not isinstance(data, UnlearningDataModule):
        raise ConfigurationError(
            f"`data` must say which side is which, found {type(data).__name__}. Pass an `UnlearningDataModule` "
            "(`UnlearningDataModule.from_datamodule(yours, forget_class=...)` makes one of any other), or "
            '`{"forget": ..., "retain": ..., "test": ...}`.'
        )
    data.prepare_data()
    data.setup("fit")
    sides: dict[str, Any] = data.evaluation_dataloaders()
    inner: Any = data
    if "test" not in sides and is_overridden("test_dataloader", inner):
        data.setup("test")
        sides["test"] = data.test_dataloader()
    if "test" in sides and not isinstance(sides["test"], DataLoader):
        raise ConfigurationError(
            f"`test` must be one loader, found {type(sides['test']).__name__}. Pass the sides by name."
        )
    return sides


def use_hooks_of(data: Data, modules: Iterable[LightningModule]) -> None:
    """Let batches reach the models as a Trainer lets them: transfer hooks of a data module replace those of the module."""
    inner: Any = data
    for name in DELEGATED[:3]:
        if isinstance(data, LightningDataModule) and is_overridden(name, inner):
            hook = getattr(data, name)
            for module in modules:  # a function, for what is bound would be copied with the module
                setattr(module, name, lambda *given, hook=hook: hook(*given))


class Shuffled:
    """Batches of samples drawn from several sides in fixed shares, the same for every model.

    Args:
        parts: loaders, and how many samples of each go into a batch; each is a stream of shuffled cycles.
        steps: number of batches.
        seed: of the order.
    """

    def __init__(self, parts: list[tuple[DataLoader[Any], int]], steps: int, seed: int) -> None:
        self._parts, self._steps, self._seed = parts, steps, seed

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Any]:
        datasets: list[Any] = [loader.dataset for loader, _ in self._parts]
        generator = torch.Generator().manual_seed(self._seed)
        streams = [_cycles(len(data), generator) for data in datasets]
        offsets = [sum(len(data) for data in datasets[:place]) for place in range(len(datasets))]
        order = [
            [
                offset + next(stream)
                for stream, offset, (_, size) in zip(streams, offsets, self._parts, strict=True)
                for _ in range(size)
            ]
            for _ in range(self._steps)
        ]
        first = self._parts[0][0]
        with isolate_rng():  # workers and data sets may draw
            torch.manual_seed(self._seed)
            yield from DataLoader(
                ConcatDataset(datasets),
                batch_sampler=order,
                num_workers=first.num_workers,
                collate_fn=first.collate_fn,
            )


def half(loader: DataLoader[Any], *, second: bool) -> DataLoader[Any]:
    """A random half of a side, or the other one; a single sample is in both halves."""
    count = len(loader.dataset)  # type: ignore[arg-type]  # `loaders_of` has seen to it
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0)).tolist()
    chosen = order[int(second) :: 2] or [0]  # at random: classes may take turns, or come one after the other
    return DataLoader(Subset(loader.dataset, chosen), loader.batch_size, collate_fn=loader.collate_fn)


def _cycles(count: int, generator: torch.Generator) -> Iterator[int]:
    while True:
        yield from torch.randperm(count, generator=generator).tolist()
