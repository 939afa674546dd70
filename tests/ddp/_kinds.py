"""The ways in which law 3 is tried: flags of DistributedDataParallel, arguments of the Trainer, modules, data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import lightning.pytorch as L
import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler

from lightning_unlearn import GradientSurgery, Relabel, UnlearningDataModule
from tests.ddp._modules import MARK, ForgetHead, Heads, RetainHead, SyncNet
from tests.strategies import _fits as fits
from tests.strategies._cases import CASES, Case, surgery
from tests.strategies._laws import loaders_for
from tests.strategies._modules import Net
from tests.strategies._probes import FisherByBackward, LocalProjection, Unwrapped

BATCH = 8  # of all processes together


class Shares(L.LightningDataModule):
    """Five global batches of each side in order, of which rank r takes every second sample from r on."""

    def __init__(self, case: Case, kind: Kind) -> None:
        super().__init__()
        self.case, self.dtype = case, kind.dtype

    def train_dataloader(self) -> Any:
        rank, world_size = self.trainer.global_rank, self.trainer.world_size
        loaders = {}
        for side, seed in (("retain", 1), ("forget", 2)):
            data = fits.samples(5 * BATCH, seed, self.dtype)
            data.tensors[0][:, -1] = MARK if side == "forget" else data.tensors[0][:, -1]
            sampler = DistributedSampler(data, world_size, rank, shuffle=False)
            loaders[side] = DataLoader(
                data, BATCH // world_size, sampler=sampler, generator=torch.Generator()
            )
        return loaders_for(self.case, loaders)


def uneven(forget: int, epoch: str) -> Callable[[Case, Kind, int], L.LightningDataModule]:
    """Sides whose sizes no batch and no number of processes divides, through the package's own data module."""

    def make(case: Case, kind: Kind, processes: int) -> L.LightningDataModule:
        retain, forgotten = fits.samples(21, 1), fits.samples(forget, 2)
        size = BATCH // processes
        return UnlearningDataModule(retain, forgotten, batch_size=size, epoch=epoch, seed=3)

    return make


@dataclass(frozen=True)
class Kind:
    """One way.

    Attributes:
        flags: of `DDPStrategy`.
        trainer: arguments of the Trainer, in one process too.
        module: makes the module.
        data: of (case, kind, number of processes) makes the data.
        dtype: of the parameters and inputs.
        rounding: what the results may differ by beyond float64: this share of the way that the weights go.
    """

    flags: Mapping[str, Any] = field(default_factory=dict)
    trainer: Mapping[str, Any] = field(default_factory=dict)
    module: Callable[..., Net] = Net
    data: Callable[[Case, Kind, int], L.LightningDataModule] = lambda case, kind, _: Shares(case, kind)
    dtype: torch.dtype = torch.float64
    rounding: float = 0.0

    def runs(self, case: Case) -> bool:
        """Whether the row has this kind at all: half precision gives no differences of passes."""
        return not (case.finite_difference and self.rounding)


VIEW, UNUSED = {"gradient_as_bucket_view": True}, {"find_unused_parameters": True}
KINDS = {
    "default": Kind({}, {"max_epochs": 2}),
    "bucket-view": Kind(VIEW),
    "static-graph": Kind({"static_graph": True}),
    "accumulation-2": Kind({}, {"accumulate_grad_batches": 2}),
    "accumulation-3-bucket-view": Kind(VIEW, {"accumulate_grad_batches": 3}),
    "clip-norm": Kind({}, {"gradient_clip_val": 0.05}),
    "clip-value-accumulation-3": Kind(
        {}, {"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value", "accumulate_grad_batches": 3}
    ),
    "forget-head": Kind(UNUSED, module=ForgetHead),
    "retain-head": Kind(UNUSED, module=RetainHead),
    "both-heads-bucket-view-accumulation-2": Kind(
        UNUSED | VIEW, {"accumulate_grad_batches": 2}, module=Heads
    ),
    "synchronised-normalisation": Kind({}, module=SyncNet),
    "uneven": Kind({}, {"accumulate_grad_batches": 2, "max_epochs": 2}, data=uneven(5, "retain")),
    "uneven-forget-epoch": Kind({}, {"accumulate_grad_batches": 2}, data=uneven(13, "forget")),
    "one-forget-sample": Kind(VIEW, data=uneven(1, "retain")),
    # A process rounds its weight gradients to bfloat16, by up to 2⁻⁸ of the largest entry, before they are averaged in
    # float32; there are two gradients in a direction, and one rounding in either of the two runs that are compared.
    "bf16-mixed": Kind({}, {"precision": "bf16-mixed"}, dtype=torch.float32, rounding=2.0**-6),
}
RANDOM_LABELS = Case(
    "surgery-random-labels",
    lambda: GradientSurgery(alpha=1.0, when="always", objective=Relabel(fits.CLASSES, kind="random")),
    surgery(when="always"),
)
ROWS = {case.id: case for case in [*CASES, RANDOM_LABELS]}
COMBINATIONS = [(name, kind) for name, case in ROWS.items() for kind in KINDS if KINDS[kind].runs(case)]
BROKEN = {
    "projected-before-averaging": (
        LocalProjection,
        ("default", "bucket-view", "accumulation-2", "bf16-mixed"),
    ),
    "wrapper-bypassed": (Unwrapped, ("default", "static-graph", "accumulation-2", "bf16-mixed")),
    "backward-in-prepare": (FisherByBackward, ("static-graph",)),
}
CONTROLS = [(name, kind) for name, (_, kinds) in BROKEN.items() for kind in kinds]
ROWS |= {name: Case(name, make, surgery()) for name, (make, _) in BROKEN.items()}


def end_of(name: str, kind_name: str, processes: int) -> dict[str, Tensor]:
    """Parameters and buffers at the end, and the way that the weights went."""
    case, kind = ROWS[name], KINDS[kind_name]
    module = kind.module(dtype=kind.dtype)
    parallel = {"strategy": DDPStrategy(**kind.flags), "devices": 2} if processes == 2 else {}
    way = Way()
    data = kind.data(case, kind, processes)
    arguments = {"max_epochs": 1, "use_distributed_sampler": False} | parallel | kind.trainer
    fits.fit(module, data, case.make(), way, **arguments)
    return {n: t.detach().clone() for n, t in module.state_dict().items()} | {"way": way.length}


class Way(L.Callback):
    """How far the weights have gone: the sum over steps of the largest move of an entry."""

    def __init__(self) -> None:
        self.length = torch.zeros((), dtype=torch.float64)

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        self.before = fits.weights(pl_module)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        self.length += fits.distance(self.before, fits.weights(pl_module))
