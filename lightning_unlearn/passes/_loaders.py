"""A loader over the samples of another one: fresh, in order, without drawing from anybody's random numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
    Subset,
)

from lightning_unlearn.errors import ConfigurationError


def fresh_loader(loader: DataLoader[Any], indices: Sequence[int]) -> DataLoader[Any]:
    """A loader like `loader` over the given samples, in their order."""
    ready_made = loader.batch_sampler is None  # the data set gives batches, not samples
    return DataLoader(
        Subset(loader.dataset, indices),
        batch_size=None
        if ready_made
        else loader.batch_size or getattr(loader.batch_sampler, "batch_size", 1),
        collate_fn=loader.collate_fn,
        num_workers=loader.num_workers,
        pin_memory=loader.pin_memory,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        generator=torch.Generator().manual_seed(
            0
        ),  # without one, every `iter()` draws from the global stream
    )


def indices_of(loader: DataLoader[Any]) -> list[int]:
    """Which samples a loader hands out, each once, in order; its generators are left as they were."""
    with _kept_generators(loader):
        return _indices(loader)


def _indices(loader: DataLoader[Any]) -> list[int]:
    sampler, everything = loader.sampler, range(len(loader.dataset))  # type: ignore[arg-type]
    if isinstance(sampler, DistributedSampler):
        if sampler.dataset is loader.dataset:
            return list(everything)
        wrapped: Any = (
            sampler.dataset
        )  # Lightning's wrapper of another sampler: a sequence of that one's indices
        return sorted({int(wrapped[i]) for i in range(len(wrapped))})
    if loader.batch_sampler is not None and type(loader.batch_sampler) is not BatchSampler:
        return sorted({int(i) for batch in loader.batch_sampler for i in batch})
    if isinstance(sampler, (RandomSampler, SequentialSampler)):
        return list(everything)
    return sorted({int(i) for i in sampler})


def agreed(indices: list[int], loader: DataLoader[Any], name: str) -> list[int]:
    """The samples that any process hands out, each once, in order: a sampler may know its rank, or draw by itself."""
    if not dist.is_initialized():
        return indices
    length = len(loader.dataset)  # type: ignore[arg-type]
    everything = indices == list(range(length))
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, (length, None if everything else indices))
    lengths = [there for there, _ in found]
    if len(set(lengths)) > 1:
        raise ConfigurationError(
            f"The {name} data set must be the same on every process, found {lengths} samples. Give every process the whole "
            "set: the Trainer's sampler, or that of `UnlearningDataModule`, shares it out."
        )
    if any(chosen is None for _, chosen in found):
        return list(range(length))
    return sorted({i for _, chosen in found for i in chosen})


def length_of(loader: Any) -> int | None:
    """Number of batches; `None` where that is unknown (every `DataLoader` has `__len__`, and may raise in it)."""
    try:
        return len(loader)
    except (TypeError, NotImplementedError):
        return None


@contextmanager
def _kept_generators(loader: Any) -> Iterator[None]:
    owners = (loader.sampler, loader.batch_sampler, getattr(loader.batch_sampler, "sampler", None))
    found = {id(g): g for o in owners if isinstance(g := getattr(o, "generator", None), torch.Generator)}
    states = [(g, g.get_state()) for g in found.values()]
    try:
        yield
    finally:
        for g, state in states:
            g.set_state(state)
