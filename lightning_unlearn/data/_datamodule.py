"""The data of an unlearning run, for a Trainer."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import lightning as L
import numpy as np
from lightning.pytorch.utilities.combined_loader import CombinedLoader
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from typing_extensions import override

from lightning_unlearn.data._existing import DELEGATED, check_splittable, loading_of
from lightning_unlearn.data._sides import TwoSides
from lightning_unlearn.data._split import ForgetChoice
from lightning_unlearn.data._streams import Streams

if TYPE_CHECKING:
    AnyDataset: TypeAlias = Dataset[Any]
    AnyLoader: TypeAlias = DataLoader[Any]
    AnyArray: TypeAlias = np.ndarray[Any, Any]
else:  # jsonargparse finds the constructor of a bare class only
    AnyDataset, AnyLoader, AnyArray = Dataset, DataLoader, np.ndarray

Forget = AnyDataset | Tensor | AnyArray | list[bool] | list[int] | None
ForgetClass = int | list[int] | None
EvalData = AnyDataset | AnyLoader | None
Collate = Callable[[list[Any]], Any] | None


class UnlearningDataModule(TwoSides, L.LightningDataModule):
    """Split training data into forget and retain set, and yield `{"retain": batch, "forget": batch}`.

    The order is a function of (seed, epoch, cycle) and does not touch the global random stream. The side that
    `epoch` names is visited once per epoch; its last batch is filled from its next shuffled cycle, so that no batch
    is short. The other side is an endless stream of shuffled cycles, cut to the same number of batches; a set smaller
    than its batch is repeated to fill it. On W devices a global batch has W times the batch size and is the same as
    on one device with that batch size. A run can be resumed inside an epoch.

    Batches are what the dataset and `collate_fn` make of them: tuples, dicts, dataclasses. Without an unlearning
    strategy the module's `training_step` is given the mapping itself.

    Args:
        train: Map-style dataset of n samples; the retain set itself if `forget` is a dataset.
        forget: Boolean mask of length n (tensor, array or list), or distinct integer indices in 0 … n-1, or a dataset.
        forget_class: Label, or list of labels, to forget; needs integer labels in `train.targets`, `.labels`, `.y`
            or in a `TensorDataset`, possibly inside `Subset`s.
        forget_fraction: Share of samples to forget, in (0, 1), drawn at random by `seed`.
        val: Dataset or loader for validation; without it the Trainer sees no validation data.
        test: Dataset or loader of data never trained on.
        batch_size: Samples of a retain batch on one device, ≥ 1.
        forget_batch_size: Samples of a forget batch on one device, ≥ 1; `None` for `batch_size`.
        epoch: The side whose samples are all visited in each epoch.
        num_workers: Worker processes of each loader, ≥ 0.
        seed: Key of the order and of `forget_fraction`, ≥ 0.
        collate_fn: Makes a batch of a list of samples; `None` for torch's own.
        pin_memory: Whether batches are copied to page-locked memory.

    Attributes:
        forget_class: As given.
        val: As given.
        test: As given.

    Raises:
        ConfigurationError: Unless exactly one of `forget`, `forget_class`, `forget_fraction` is given, or if one side
            would be empty, or if a value is outside its range.

    Example:
        >>> import torch
        >>> from torch.utils.data import TensorDataset
        >>> from lightning_unlearn import UnlearningDataModule
        >>> train = TensorDataset(torch.randn(10, 2), torch.arange(10) % 5)
        >>> data = UnlearningDataModule(train, forget_class=3, batch_size=4)
        >>> data.forget_indices
        tensor([3, 8])
        >>> [labels.tolist() for _, labels in data.forget_dataloader()]
        [[3, 3, 3, 3], [3, 3, 3, 3]]
    """

    def __init__(
        self,
        train: AnyDataset,
        forget: Forget = None,
        *,
        forget_class: ForgetClass = None,
        forget_fraction: float | None = None,
        val: EvalData = None,
        test: EvalData = None,
        batch_size: int = 128,
        forget_batch_size: int | None = None,
        epoch: Literal["retain", "forget"] = "retain",
        num_workers: int = 0,
        seed: int = 0,
        collate_fn: Collate = None,
        pin_memory: bool = False,
    ) -> None:
        super().__init__()
        self.forget_class = forget_class
        self._streams = Streams(
            batch_size, forget_batch_size, epoch, num_workers, seed, collate_fn, pin_memory
        )
        self._split = ForgetChoice(forget, forget_class, forget_fraction, seed).split(train)
        self._offer(val, test)

    @classmethod
    def from_datamodule(
        cls,
        datamodule: L.LightningDataModule,
        forget: Forget = None,
        *,
        forget_class: ForgetClass = None,
        forget_fraction: float | None = None,
        val: EvalData = None,
        test: EvalData = None,
        batch_size: int | None = None,
        forget_batch_size: int | None = None,
        epoch: Literal["retain", "forget"] = "retain",
        num_workers: int | None = None,
        seed: int = 0,
        collate_fn: Collate = None,
        pin_memory: bool | None = None,
    ) -> "UnlearningDataModule":
        """Split the training data of an existing data module, once its `setup` has run.

        The dataset is that of its `train_dataloader()`. How batches are made (`batch_size`, `num_workers`,
        `collate_fn`, `pin_memory`, and the options of workers) is copied from that loader where not given. The
        other hooks, loaders and the state of `datamodule` are used as they are.

        Args:
            datamodule: Data module whose train loader has a map-style dataset and a plain sampler.
            forget: Mask, indices or dataset, as in the constructor; n is the length of the train loader's dataset.
            forget_class: Label, or list of labels, to forget.
            forget_fraction: Share of samples to forget, in (0, 1).
            val: Dataset or loader in place of the validation data of `datamodule`.
            test: Dataset or loader in place of the test data of `datamodule`.
            batch_size: Samples of a retain batch on one device, ≥ 1; `None` for that of the train loader.
            forget_batch_size: Samples of a forget batch on one device, ≥ 1; `None` for that of the retain side.
            epoch: The side whose samples are all visited in each epoch.
            num_workers: Worker processes of each loader, ≥ 0; `None` for those of the train loader.
            seed: Key of the order and of `forget_fraction`, ≥ 0.
            collate_fn: Makes a batch of a list of samples; `None` for that of the train loader.
            pin_memory: Whether batches are copied to page-locked memory; `None` for what the train loader does.

        Raises:
            ConfigurationError: As the constructor; what depends on the data is found in `setup`.

        Example:
            >>> import torch
            >>> from lightning import LightningDataModule
            >>> from torch.utils.data import TensorDataset
            >>> from lightning_unlearn import UnlearningDataModule
            >>> train = TensorDataset(torch.randn(10, 2), torch.arange(10) % 5)
            >>> existing = LightningDataModule.from_datasets(train, batch_size=4)
            >>> data = UnlearningDataModule.from_datamodule(existing, forget_class=3, pin_memory=False)
            >>> data.setup("fit")
            >>> data.forget_indices, data.batch_size
            (tensor([3, 8]), 4)
        """
        choice = ForgetChoice(forget, forget_class, forget_fraction, seed)
        own: dict[str, Any] = {"forget_batch_size": forget_batch_size, "epoch": epoch, "seed": seed}
        copied: dict[str, Any] = {"batch_size": batch_size, "num_workers": num_workers}
        copied.update(collate_fn=collate_fn, pin_memory=pin_memory)
        own.update({name: value for name, value in copied.items() if value is not None})
        return _ExistingDataModule(datamodule, choice, own, val, test)

    @override
    def train_dataloader(self) -> CombinedLoader:
        return CombinedLoader({side: self._loader(side) for side in ("retain", "forget")}, mode="min_size")

    def _offer(self, val: EvalData, test: EvalData) -> None:
        # On the instance: Lightning takes a method of the class for a promise of data.
        self.val, self.test = val, test
        if val is not None:
            self.val_dataloader = self._val_dataloader  # type: ignore[method-assign]  # see above
        if test is not None:
            self.test_dataloader = self._test_dataloader  # type: ignore[method-assign]  # see above

    def _val_dataloader(self) -> Any:
        return self._plain_loader(self.val)

    def _test_dataloader(self) -> Any:
        return self._plain_loader(self.test)

    def _plain_loader(self, data: Any) -> Any:
        return data if isinstance(data, DataLoader) else self._streams.plain_loader(data)


class _ExistingDataModule(UnlearningDataModule):
    def __init__(
        self,
        inner: L.LightningDataModule,
        choice: ForgetChoice,
        given: dict[str, Any],
        val: EvalData,
        test: EvalData,
    ) -> None:
        L.LightningDataModule.__init__(self)  # not the parent's: the data are known only after `inner.setup`
        self.forget_class = choice.forget_class
        self.prepare_data_per_node = inner.prepare_data_per_node
        self._inner, self._choice, self._given = inner, choice, given
        self._split, self._streams = None, Streams(**given)
        self._prepared = False
        self._stages: set[str] = set()
        for name in DELEGATED:
            if is_overridden(name, inner):
                setattr(self, name, getattr(inner, name))
        self._offer(val, test)

    @override
    def prepare_data(self) -> None:
        if not self._prepared:
            self._inner.trainer = self.trainer
            self._inner.prepare_data()
            self._prepared = True

    @override
    def setup(self, stage: str) -> None:
        self._inner.trainer = self.trainer
        if stage in self._stages:
            return
        if self._split is not None:  # split before: a batch size that was set since then stays
            self._given["batch_size"] = self._streams.batch_size
        self._inner.setup(stage)
        self._stages.add(stage)
        if stage == "fit":
            self._split_inner()

    @override
    def teardown(self, stage: str) -> None:
        self._stages.discard(stage)
        self._inner.teardown(stage)

    def _split_inner(self) -> None:
        loader = self._inner.train_dataloader()
        check_splittable(loader)
        self._streams = Streams(**{**loading_of(loader, self._given.get("num_workers")), **self._given})
        self._split = self._choice.split(loader.dataset)
