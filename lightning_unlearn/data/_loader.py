"""A DataLoader that starts late and knows how far it is."""

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader
from typing_extensions import override

from lightning_unlearn.data._sampler import CycleSampler, keyed_seed


class StreamLoader(DataLoader[Any]):
    """Load the batches of a `CycleSampler`; stop and resume inside an epoch.

    The epoch is read when the first batch is asked for, not at `iter()`: Lightning calls `set_epoch` after `iter()`
    when it resumes, and workers would have fetched from the wrong epoch by then. Worker seeds are a function of
    (seed, side, epoch, rank), so the global random stream is never drawn from.
    A worker begins an epoch's stream anew when a run is resumed inside it: samples that draw random numbers in workers
    are then others than without the interruption, but for epochs that begin later.

    Example:
        >>> import torch
        >>> from torch.utils.data import TensorDataset
        >>> data = TensorDataset(torch.arange(3))
        >>> loader = StreamLoader(data, batch_size=2, sampler=CycleSampler(data, batch_size=2, steps=2),
        ...                       generator=torch.Generator())
        >>> batches = list(loader)
        >>> loader.load_state_dict({"epoch": 0, "batches": 1})
        >>> [resumed] = loader
        >>> torch.equal(resumed[0], batches[1][0])
        True
    """

    _delivered = 0
    _resumed: dict[str, int] | None = None

    @override
    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # the base names its own private iterator
        return _Epoch(self)

    def state_dict(self) -> dict[str, int]:
        """Return the epoch and the number of its batches handed out so far."""
        return {"epoch": getattr(self.sampler, "epoch", 0), "batches": self._delivered}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Make the next iteration leave out the batches handed out already, if it is of the same epoch."""
        self._resumed = dict(state)

    def _start(self) -> Iterator[Any]:
        resumed, self._resumed = self._resumed, None
        self._delivered = 0
        if not isinstance(self.sampler, CycleSampler):  # Lightning's `overfit_batches` exchanges it
            return super().__iter__()
        sampler = self.sampler
        if resumed is not None and resumed["epoch"] == sampler.epoch:
            self._delivered = resumed["batches"]
        sampler.first_batch = self._delivered
        self.generator.manual_seed(
            keyed_seed(sampler.side, sampler.seed, sampler.epoch, sampler.rank, "workers")
        )
        return super().__iter__()


class _Epoch(Iterator[Any]):
    def __init__(self, loader: StreamLoader) -> None:
        self._loader = loader
        self._batches: Iterator[Any] | None = None

    @override
    def __next__(self) -> Any:
        if self._batches is None:
            self._batches = self._loader._start()
        batch = next(self._batches)
        self._loader._delivered += 1
        return batch

    @override
    def __getstate__(self) -> dict[str, Any]:
        return {
            **self.__dict__,
            "_batches": None,
        }  # as Lightning does: iterators of a DataLoader cannot be pickled
