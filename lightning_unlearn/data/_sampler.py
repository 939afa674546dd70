"""The order of the samples, as a function of (seed, epoch, cycle)."""

import hashlib
from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler
from typing_extensions import override


def keyed_generator(*key: object) -> torch.Generator:
    """Make a generator whose stream is a function of `key` alone (same on every machine).

    Example:
        >>> torch.equal(torch.randperm(9, generator=keyed_generator("retain", 0)),
        ...             torch.randperm(9, generator=keyed_generator("retain", 0)))
        True
    """
    return torch.Generator().manual_seed(keyed_seed(*key))


def keyed_seed(*key: object) -> int:
    """Mix `key` into a seed in [0, 2⁶³)."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class CycleSampler(DistributedSampler[Any]):
    """Draw a fixed number of full batches from an endless stream of shuffled cycles.

    Cycle c of epoch e is a permutation of the n samples keyed by (seed, side, e, c). The stream is cycle 0, cycle 1, …
    and starts anew each epoch. With W replicas of batch size b, global batch t is `stream[t*W*b:(t+1)*W*b]`, and
    rank r draws its elements `[r::W]`: the global batch is the same for every W with the same W·b.

    Lightning leaves a `DistributedSampler` alone, on any number of devices; hence the base class. An iterator under
    way knows its epoch and position: in a `StatefulDataLoader` of torchdata a run resumes inside an epoch.

    Args:
        dataset: Dataset of n ≥ 1 samples.
        batch_size: Samples of a batch on one replica, b ≥ 1.
        steps: Batches of an epoch, ≥ 1.
        num_replicas: Number of replicas, W ≥ 1.
        rank: This replica, in 0 … W-1.
        seed: Key of the order.
        side: Second part of the key, so that the two sides differ.

    Attributes:
        first_batch: Batches left out at the start of the next iteration (for resuming inside an epoch).

    Example:
        >>> from torch.utils.data import TensorDataset
        >>> sampler = CycleSampler(TensorDataset(torch.arange(3)), batch_size=2, steps=2)
        >>> order = list(sampler)
        >>> len(order), sorted(order[:3])
        (4, [0, 1, 2])
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        *,
        batch_size: int,
        steps: int,
        num_replicas: int = 1,
        rank: int = 0,
        seed: int = 0,
        side: str = "retain",
    ) -> None:
        super().__init__(dataset, num_replicas=num_replicas, rank=rank, seed=seed)
        self.batch_size = batch_size
        self.side = side
        self.first_batch = 0
        self.num_samples = steps * batch_size
        self.total_size = self.num_samples * num_replicas

    @override
    def __iter__(self) -> Iterator[int]:
        return _Order(self, self.epoch, self.first_batch * self.batch_size)

    def _stream(self, epoch: int) -> Iterator[int]:
        for cycle in count():
            yield from self._share(self._cycle(epoch, cycle), cycle).tolist()

    def _cycle(self, epoch: int, cycle: int) -> Tensor:
        generator = keyed_generator(self.side, self.seed, epoch, cycle)
        return torch.randperm(len(self.dataset), generator=generator)  # type: ignore[arg-type]

    def _share(self, order: Tensor, cycle: int) -> Tensor:
        # The cycle starts at position cycle*n of the stream, which need not be a multiple of the replicas.
        return order[(self.rank - cycle * len(order)) % self.num_replicas :: self.num_replicas]


class _Order(Iterator[int]):
    """One epoch of a sampler under way; its state is found by `StatefulDataLoader` through these two methods."""

    def __init__(self, sampler: CycleSampler, epoch: int, position: int) -> None:
        self._sampler = sampler
        self._start(epoch, position)

    def _start(self, epoch: int, position: int) -> None:
        self._epoch, self._position = epoch, position
        self._indices = islice(self._sampler._stream(epoch), position, self._sampler.num_samples)

    @override
    def __next__(self) -> int:
        index = next(self._indices)
        self._position += 1
        return index

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._start(state["epoch"], state["position"])
