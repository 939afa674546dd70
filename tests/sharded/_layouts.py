"""One small module, and the ways in which its parameters can be spread over processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as L
import torch
import torch.distributed as dist
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    SequenceParallel,
    loss_parallel,
    parallelize_module,
)
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from tests.strategies import _fits as fits
from tests.strategies._cases import Case
from tests.strategies._laws import loaders_for
from tests.strategies._modules import Net

RETAIN, FORGET, BATCH = 40, 24, 8


# ---- layouts -----------------------------------------------------------------------------------------------------
def fsdp(net: nn.Module, mesh: DeviceMesh) -> None:
    """Layer by layer: shards are uneven, as three rows do not divide by two."""
    for layer in (net[0], net[2], net[4]):
        fully_shard(layer, mesh=mesh["data_parallel"])
    fully_shard(net, mesh=mesh["data_parallel"])


def fsdp_in_one(net: nn.Module, mesh: DeviceMesh) -> None:
    """As a whole: after a forward pass alone the gathered weights stay in place."""
    fully_shard(net, mesh=mesh["data_parallel"])


def fsdp_hybrid(net: nn.Module, mesh: DeviceMesh) -> None:
    """Replicated over both processes, sharded over one."""
    fully_shard(net, mesh=mesh["data_parallel", "tensor_parallel"])


def fsdp_and_plain(net: nn.Module, mesh: DeviceMesh) -> None:
    """The user averages one plain layer's gradients with hooks."""
    for layer in (net[0], net[2]):
        fully_shard(layer, mesh=mesh["data_parallel"])
    for p in (*net[3].parameters(), *net[4].parameters()):
        p.register_hook(averaged)


def averaged(gradient: Tensor) -> Tensor:
    gradient = gradient.clone()
    dist.all_reduce(gradient)
    return gradient / dist.get_world_size()


def tensor_parallel(net: nn.Module, mesh: DeviceMesh) -> None:
    """Rows, columns, a replicated bias; norm and head are plain tensors."""
    plan = {"0": ColwiseParallel(), "2": RowwiseParallel()}
    parallelize_module(net, mesh["tensor_parallel"], plan)


def sequence_parallel(net: nn.Module, mesh: DeviceMesh) -> None:
    """Each process normalises its samples, so that the norm's gradients are partial; nothing is plain."""
    plan = {
        "0": ColwiseParallel(),
        "2": RowwiseParallel(output_layouts=Shard(0)),
        "3": SequenceParallel(sequence_dim=0),
        "4": ColwiseParallel(input_layouts=Shard(0), output_layouts=Replicate()),
    }
    parallelize_module(net, mesh["tensor_parallel"], plan)


def with_parallel_loss(net: nn.Module, mesh: DeviceMesh) -> None:
    """Logits are sharded over classes, and the loss is a DTensor."""
    plan = {
        "0": ColwiseParallel(),
        "2": RowwiseParallel(),
        "4": ColwiseParallel(output_layouts=Shard(-1), use_local_output=False),
    }
    parallelize_module(net, mesh["tensor_parallel"], plan)


def two_dimensional(net: nn.Module, mesh: DeviceMesh) -> None:
    """Tensor parallel inside a data-parallel group, FSDP2 between them."""
    plan = {"0": ColwiseParallel(), "2": RowwiseParallel()}
    parallelize_module(net, mesh["tensor_parallel"], plan)
    fsdp(net, mesh)


@dataclass(frozen=True)
class Layout:
    """What `configure_model` does, on a mesh of `data` x `tensor` processes."""

    place: Callable[[nn.Module, DeviceMesh], None]
    data: int
    tensor: int

    @property
    def trainer(self) -> dict[str, Any]:
        """Arguments of the Trainer."""
        strategy = ModelParallelStrategy(self.data, self.tensor)
        return {"strategy": strategy, "devices": self.data * self.tensor}


LAYOUTS = {
    "fsdp": Layout(fsdp, 2, 1),
    "fsdp-in-one": Layout(fsdp_in_one, 2, 1),
    "fsdp-hybrid": Layout(fsdp_hybrid, 2, 1),
    "fsdp-and-plain": Layout(fsdp_and_plain, 2, 1),
    "tensor": Layout(tensor_parallel, 1, 2),
    "sequence": Layout(sequence_parallel, 1, 2),
    "parallel-loss": Layout(with_parallel_loss, 1, 2),
    "two-dimensional": Layout(two_dimensional, 2, 2),
}


# ---- module and data ---------------------------------------------------------------------------------------------
class Wide(Net):
    """Sizes that divide by two but for the number of classes; on one process an ordinary module."""

    layout: Layout | None = None

    def build(self) -> nn.Module:
        return nn.Sequential(
            nn.Linear(fits.FEATURES, 6),
            nn.Tanh(),
            nn.Linear(6, 4),
            nn.LayerNorm(4),
            nn.Linear(4, fits.CLASSES),
        )

    def configure_model(self) -> None:
        if self.layout is not None:
            self.layout.place(self.net, self.device_mesh)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        with self._loss_context():
            return super().training_step(batch, batch_idx)

    def backward(self, *arguments: Any, **keywords: Any) -> None:
        with self._loss_context():
            super().backward(*arguments, **keywords)

    def _loss_context(self) -> Any:
        parallel = self.layout is not None and self.layout.place is with_parallel_loss
        return loss_parallel() if parallel else nullcontext()


class Shares(L.LightningDataModule):
    """Global batches of `BATCH`; of each the data-parallel process r takes every second sample from r on."""

    def __init__(
        self,
        case: Case | None = None,
        *,
        only: str | None = None,
        poison: bool = False,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        self.case, self.only, self.poison, self.dtype = case, only, poison, dtype

    def train_dataloader(self) -> Any:
        kwargs = getattr(self.trainer.strategy, "distributed_sampler_kwargs", None) or {}
        rank, world_size = kwargs.get("rank", 0), kwargs.get("num_replicas", 1)
        loaders = {}
        for side, count, seed in (("retain", RETAIN, 1), ("forget", FORGET, 2)):
            inputs, labels = (t.clone() for t in fits.samples(count, seed, self.dtype).tensors)
            if self.poison and side == "forget":
                inputs[BATCH] = float("nan")  # the second step, on one process of two
            data = TensorDataset(inputs, labels)
            sampler = DistributedSampler(data, world_size, rank, shuffle=False)
            loaders[side] = DataLoader(
                data, BATCH // world_size, sampler=sampler, generator=torch.Generator()
            )
        if self.only is not None:
            return loaders[self.only]
        return loaders if self.case is None else loaders_for(self.case, loaders)


def fit(
    layout: str | None,
    *callbacks: L.Callback,
    module: Wide | None = None,
    data: L.LightningDataModule | None = None,
    **trainer: Any,
) -> Wide:
    """One epoch; `layout` is a name, or `None` for one process."""
    module = module or Wide()
    given: dict[str, Any] = {"use_distributed_sampler": False, "max_epochs": 1}
    if layout is not None:
        module.layout = LAYOUTS[layout]
        given |= module.layout.trainer
    fits.fit(module, data or Shares(), *callbacks, **given | trainer)
    return module


# ---- for comparisons ---------------------------------------------------------------------------------------------
def gathered(tensors: Any) -> dict[str, Tensor]:
    """Whole copies, by name, of what may be shards; absent entries are left out."""
    return {name: whole(tensor) for name, tensor in dict(tensors).items() if tensor is not None}


@torch.no_grad()
def whole(tensor: Tensor) -> Tensor:
    tensor = tensor.detach()
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).clone()


def ends(module: nn.Module) -> dict[str, Tensor]:
    """The whole weights of a module, of which a forward pass may have gathered copies: those do not count."""
    for layer in module.modules():
        if isinstance(layer, FSDPModule):
            layer.reshard()
    return gathered(module.named_parameters())


@contextmanager
def replaced(name: str, value: Any, *owners: Any) -> Iterator[None]:
    """For a moment, an attribute is another one, as a mistake would make it."""
    previous = [getattr(owner, name) for owner in owners]
    for owner in owners:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, one in zip(owners, previous, strict=True):
            setattr(owner, name, one)
