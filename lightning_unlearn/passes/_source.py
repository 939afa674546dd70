from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias, cast

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm
from lightning.pytorch.strategies import ModelParallelStrategy
from lightning.pytorch.trainer.states import RunningStage
from lightning.pytorch.utilities import CombinedLoader
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from lightning_unlearn._modes import evaluating
from lightning_unlearn._tensors import placed_like
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.passes import _streams
from lightning_unlearn.passes._loaders import agreed, fresh_loader, indices_of, length_of
from lightning_unlearn.weights import reshard

Sums: TypeAlias = Mapping[str, Tensor]


class Source:
    """Every batch of one side, for work that is done once: what `prepare` sees.

    The batches come from a fresh, unshuffled loader over the same data set as the given one (never from the
    Trainer's own iterators), each sample exactly once, shared out over the processes, through the user's transfer
    hooks, to the module in evaluation mode and in the Trainer's precision. The random streams are afterwards where
    they were before.

    Under `ModelParallelStrategy` every process is given all samples, and nothing is reduced: there a forward pass is
    one of all processes together, and a backward pass averages over them.

    Args:
        trainer: the Trainer.
        module: its module.
        loader: a `DataLoader`; with one process any iterable of batches.
        name: for the progress bar and for messages.
        limit: at most this many batches a process, `None` for all.
        at_most: a fixed random choice of this many samples instead of all; `None` for all.
    """

    def __init__(
        self,
        trainer: Trainer,
        module: LightningModule,
        loader: Any,
        name: str,
        limit: int | None = None,
        at_most: int | None = None,
    ) -> None:
        self._trainer = trainer
        self._module = module
        self._name = name
        self._given = (loader, name, limit)
        kwargs = getattr(trainer.strategy, "distributed_sampler_kwargs", None) or {}
        self._rank, self._world_size = int(kwargs.get("rank", 0)), int(kwargs.get("num_replicas", 1))
        self._shards: dict[str, nn.Parameter] = {}
        self._is_sharded = isinstance(trainer.strategy, ModelParallelStrategy)
        if self._is_sharded:
            limit = None if limit is None else limit * self._world_size  # as many samples as all replicas had
            self._rank, self._world_size = 0, 1
        self._idle = False
        self._loader, self.samples = self._fresh(loader, at_most)
        batches = length_of(self._loader)
        self._limit = batches if limit is None else limit if batches is None else min(limit, batches)

    @classmethod
    def of_trainer(cls, trainer: Trainer, module: LightningModule, side: str) -> Source:
        """The given side of the train loaders of `trainer`, cut to its `limit_train_batches`."""
        loaders: Any = trainer.train_dataloader
        loader = (loaders.iterables if isinstance(loaders, CombinedLoader) else loaders)[side]
        limit: int | float | None = trainer.limit_train_batches
        if isinstance(limit, float):
            length = length_of(loader)
            limit = None if limit == 1.0 or length is None else int(limit * length)
        return cls(trainer, module, loader, side, limit)

    @classmethod
    def of_sides(
        cls, trainer: Trainer, module: LightningModule, needed: Container[str]
    ) -> tuple[Source, Source | None]:
        """Forget and retain side: those that are needed, and those that are there without being needed."""
        loaders: Any = getattr(trainer.train_dataloader, "iterables", trainer.train_dataloader)
        given = [side for side in ("forget", "retain") if side in needed or side in loaders]
        sources = {side: cls.of_trainer(trainer, module, side) for side in given}
        return cast(Source, sources.get("forget")), sources.get("retain")

    def some(self, at_most: int | None) -> Source:
        """A fixed random choice of at most so many samples of this side, the same on any number of processes.

        Args:
            at_most: `None` for all. A loader that is no `DataLoader` over a map-style data set has no choice: it is
                visited whole.
        """
        return self if at_most is None else Source(self._trainer, self._module, *self._given, at_most)

    def for_each(self, visit: Callable[[Any], None]) -> None:
        """Call `visit(batch)` with every batch of this process."""
        with self._buffers_alike():
            if not self._idle:
                self._visit(visit)

    def _visit(self, visit: Callable[[Any], None]) -> None:
        bar = Tqdm(
            total=self._limit, desc=self._name, leave=False, delay=1.0, disable=not self._shows_progress
        )
        reshard(self._module)
        self._shards = dict(self._module.named_parameters())
        with self._at_rest(), bar:
            for i, batch in enumerate(self._loader):
                if self._limit is not None and i >= self._limit:
                    break
                visit(self._transferred(batch))
                bar.update()
        reshard(self._module)

    def sum(self, terms: Callable[[Any], Sums]) -> dict[str, Tensor]:
        """Sum `terms(batch)` over all batches and all processes, with one reduction a name at the end.

        Args:
            terms: sums over the samples of a batch, by name; the same names and shapes for every batch.

        Returns:
            The sums, the same on every process and, up to rounding, on any number of them.
        """
        total: dict[str, Tensor] = {}

        def add(batch: Any) -> None:
            for name, term in terms(batch).items():
                term = torch.zeros_like(term) if self._idle else term.detach()
                total[name] = total[name] + term if name in total else term.clone()

        with self._buffers_alike():
            self._visit(add)
        return self.added(total)

    def added(self, sums: Sums) -> dict[str, Tensor]:
        """The sums over all processes of what each has summed up by itself, in :meth:`for_each`."""
        if self._world_size == 1:
            return dict(sums)
        return {n: self._trainer.strategy.reduce(t, reduce_op="sum") for n, t in sums.items()}

    def gradient(self, loss: Tensor) -> dict[str, Tensor]:
        """Gradient of a loss of this process's samples, by name of the trainable parameters that it reaches.

        For `terms` that need gradients, as a Fisher information does. Not to be had by `loss.backward()`: that counts
        for DistributedDataParallel as part of the next step, which `static_graph` and `find_unused_parameters` then
        get wrong. What stands in `p.grad` is left alone.
        """
        if not self._is_sharded:
            parameters = {n: p for n, p in self._module.named_parameters() if p.requires_grad}
            wanted = list(parameters.values())
            found: tuple[Tensor | None, ...] = torch.autograd.grad(loss, wanted, allow_unused=True)
            return {n: g for n, g in zip(parameters, found, strict=True) if g is not None}
        # sharded parameters get theirs from hooks alone; between the passes other tensors stand in their place
        parameters = {n: p for n, p in self._shards.items() if p.requires_grad}
        kept = [p.grad for p in parameters.values()]
        for p in parameters.values():
            p.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = {n: None if p.grad is None else placed_like(p.grad, p) for n, p in parameters.items()}
        for p, grad in zip(parameters.values(), kept, strict=True):
            p.grad = grad
        return {n: g for n, g in gradients.items() if g is not None}

    def everywhere(self, condition: bool) -> bool:
        """Whether `condition` holds on every process; to be asked by all of them."""
        return self._trainer.strategy.reduce_boolean_decision(condition, all=True)

    @property
    def writes(self) -> bool:
        """Whether this process is the one that writes files for those of its node."""
        return self._trainer.local_rank == 0

    @property
    def batch_size(self) -> int | None:
        """Number of samples of a full batch of one process; `None` if that is unknown."""
        return getattr(self._loader, "batch_size", None)

    # ---- helpers -----------------------------------------------------------------------------------------------
    def _fresh(self, loader: Any, at_most: int | None) -> tuple[Iterable[Any], int | None]:
        if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset):
            if self._world_size > 1:
                raise ConfigurationError(
                    f"The {self._name} loader must be a `DataLoader` over a map-style data set to be shared out over "
                    f"{self._world_size} processes, found {type(loader).__name__}."
                )
            return loader, None
        with _streams.isolated(self._trainer.strategy.root_device):
            indices = indices_of(loader)
        if self._world_size > 1:
            indices = agreed(indices, loader, self._name)
        if at_most is not None and at_most < len(indices):
            chosen = torch.randperm(len(indices), generator=torch.Generator().manual_seed(0))[:at_most]
            indices = [indices[i] for i in sorted(chosen.tolist())]
        # a process without a sample of its own adds zeros, or the others would wait for it in the reduction
        own = indices[self._rank :: self._world_size] or indices[:1]
        self._idle = self._rank >= len(indices)
        return fresh_loader(loader, own), len(indices)

    def _transferred(self, batch: Any) -> Any:
        batch = self._trainer.precision_plugin.convert_input(batch)
        hooks = getattr(self._trainer, "datamodule", None)
        owner = (
            hooks if hooks is not None and is_overridden("on_before_batch_transfer", hooks) else self._module
        )
        batch = owner.on_before_batch_transfer(batch, 0)
        return self._trainer.strategy.batch_to_device(batch, dataloader_idx=0)

    @contextmanager
    def _buffers_alike(self) -> Iterator[None]:
        """Those of the first process, which checkpoints hold: after a training step, running statistics are each one's own."""
        if self._world_size == 1 or not torch.distributed.is_initialized():
            yield
            return
        kept = [(buffer, buffer.clone()) for buffer in self._module.buffers() if buffer.is_contiguous()]
        try:
            for buffer, _ in kept:
                torch.distributed.broadcast(buffer, 0)
            yield
        finally:
            for buffer, own in kept:
                buffer.copy_(own)

    @property
    def _shows_progress(self) -> bool:
        return self._trainer.is_global_zero and self._trainer.progress_bar_callback is not None

    @contextmanager
    def _at_rest(self) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(_streams.isolated(self._trainer.strategy.root_device))
            stack.enter_context(evaluating(self._module))
            stack.enter_context(_not_training(self._trainer))
            stack.enter_context(self._trainer.precision_plugin.forward_context())
            yield


@contextmanager
def _not_training(trainer: Trainer) -> Iterator[None]:
    """A transfer hook that augments `if self.trainer.training` is not to."""
    stage, trainer.state.stage = trainer.state.stage, RunningStage.VALIDATING
    try:
        yield
    finally:
        trainer.state.stage = stage
