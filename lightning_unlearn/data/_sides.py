"""The two sides of a data module: what they hold and the loaders that serve them."""

from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from typing_extensions import override

from lightning_unlearn.data._checks import check_integer
from lightning_unlearn.data._split import Split
from lightning_unlearn.data._streams import SideName, Streams
from lightning_unlearn.errors import ConfigurationError


class TwoSides:
    """Forget and retain set of a data module, and fresh loaders of either; asks `trainer` for replica and rank."""

    trainer: Any
    test: Any
    _split: Split | None
    _streams: Streams

    @property
    def forget_set(self) -> Dataset[Any]:
        """The samples to forget."""
        return self._ready()[0].forget

    @property
    def retain_set(self) -> Dataset[Any]:
        """The other samples."""
        return self._ready()[0].retain

    @property
    def forget_indices(self) -> Tensor | None:
        """Sorted indices of the forget set in the training data, int64; `None` if two datasets were given."""
        return self._ready()[0].indices

    @property
    def batch_size(self) -> int:
        """Samples of a retain batch on one device; may be set, as `BatchSizeFinder` does, for loaders made later."""
        return self._ready()[1].batch_size

    @batch_size.setter
    def batch_size(self, size: int) -> None:
        self._streams = replace(self._ready()[1], batch_size=size)

    def reorder(
        self, seed: int, *, batch_size: int | None = None, forget_batch_size: int | None = None
    ) -> None:
        """Give loaders made later another order, and other batch sizes if need be; what is forgotten stays.

        Args:
            seed: Key of the order, ≥ 0.
            batch_size: Samples of a retain batch on one device, ≥ 1; `None` for that of now.
            forget_batch_size: Samples of a forget batch on one device, ≥ 1; `None` for that of now.

        Example:
            >>> import torch
            >>> from torch.utils.data import TensorDataset
            >>> from lightning_unlearn import UnlearningDataModule
            >>> data = UnlearningDataModule(TensorDataset(torch.arange(9)), forget_fraction=0.3, batch_size=3, seed=1)
            >>> before = data.forget_indices
            >>> data.reorder(seed=2, forget_batch_size=4)
            >>> bool((data.forget_indices == before).all()), data.batch_size
            (True, 3)
            >>> [len(batch) for [batch] in data.forget_dataloader()]
            [4, 4]
        """
        streams = self._ready()[1]
        self._streams = replace(
            streams,
            seed=seed,
            batch_size=batch_size or streams.batch_size,
            forget_batch_size=forget_batch_size or streams.forget_batch_size,
        )

    def retain_dataloader(self) -> DataLoader[Any]:
        """Make afresh the loader of the retain side: the batches that training sees, in their order.

        On several devices it serves this device's share, once a Trainer is attached to the data module. As with any
        `DistributedSampler`, `loader.sampler.set_epoch(e)` chooses the epoch; the Trainer calls it.

        Example:
            >>> import torch
            >>> from torch.utils.data import TensorDataset
            >>> from lightning_unlearn import UnlearningDataModule
            >>> data = UnlearningDataModule(TensorDataset(torch.arange(5)), forget=[1], batch_size=3)
            >>> [len(batch) for [batch] in data.retain_dataloader()]
            [3, 3]
        """
        return self._loader("retain")

    def retrain_dataloader(self, seed: int) -> DataLoader[Any]:
        """Make afresh the loader of a model that is trained from scratch on the retain set, on one device.

        Unlike :meth:`retain_dataloader` it visits each sample once an epoch, whatever `epoch` says, and its last batch
        is short. The order is a function of (seed, epoch), and not of the `seed` of the data module.

        Args:
            seed: Key of the order, ≥ 0.

        Example:
            >>> import torch
            >>> from torch.utils.data import TensorDataset
            >>> from lightning_unlearn import UnlearningDataModule
            >>> data = UnlearningDataModule(TensorDataset(torch.arange(5)), forget=[1], batch_size=3)
            >>> sorted(sample for [batch] in data.retrain_dataloader(seed=7) for sample in batch.tolist())
            [0, 2, 3, 4]
        """
        check_integer("seed", seed, 0)
        split, streams = self._ready()
        return streams.retrain_loader(split, seed)

    def forget_dataloader(self) -> DataLoader[Any]:
        """Make afresh the loader of the forget side: the batches that training sees, in their order.

        Example:
            >>> import torch
            >>> from torch.utils.data import TensorDataset
            >>> from lightning_unlearn import UnlearningDataModule
            >>> data = UnlearningDataModule(TensorDataset(torch.arange(5)), forget=[1], batch_size=3)
            >>> [batch.tolist() for [batch] in data.forget_dataloader()]
            [[1, 1, 1], [1, 1, 1]]
        """
        return self._loader("forget")

    def evaluation_dataloaders(self) -> dict[str, Any]:
        """Make afresh, by side, loaders that visit every sample once, in its own order: `forget`, `retain`, and `test` if there.

        Example:
            >>> import torch
            >>> from torch.utils.data import TensorDataset
            >>> from lightning_unlearn import UnlearningDataModule
            >>> data = UnlearningDataModule(TensorDataset(torch.arange(5)), forget=[1], batch_size=3)
            >>> {side: [batch.tolist() for [batch] in loader] for side, loader in data.evaluation_dataloaders().items()}
            {'forget': [[1]], 'retain': [[0, 2, 3], [4]]}
        """
        split, streams = self._ready()
        loaders: dict[str, Any] = {
            "forget": streams.plain_loader(split.forget, "forget"),
            "retain": streams.plain_loader(split.retain, "retain"),
        }
        if self.test is not None:
            loaders["test"] = (
                self.test if isinstance(self.test, DataLoader) else streams.plain_loader(self.test)
            )
        return loaders

    @override
    def __str__(self) -> str:
        if self._split is None:
            return f"{type(self).__name__}(not set up)"
        sides: dict[str, Any] = {"forget": self.forget_set, "retain": self.retain_set}
        sizes = ", ".join(f"{side}: {len(data)} samples" for side, data in sides.items())
        return f"{type(self).__name__}({sizes})"

    def _loader(self, side: SideName) -> DataLoader[Any]:
        split, streams = self._ready()
        strategy = getattr(self.trainer, "strategy", None)
        replicas = getattr(strategy, "distributed_sampler_kwargs", None) or {"num_replicas": 1, "rank": 0}
        if self.trainer is not None and self.trainer.overfit_batches > 0:
            return streams.overfit_loader(split, side, replicas["num_replicas"])
        return streams.loader(split, side, **replicas)

    def _ready(self) -> tuple[Split, Streams]:
        if self._split is None:
            raise ConfigurationError(
                "The wrapped data module must be set up before its data are split, found that it is not."
                ' Call `setup("fit")` first.'
            )
        return self._split, self._streams
