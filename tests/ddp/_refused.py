"""Run as `python -m tests.ddp._refused FOLDER`, once a rank: what each rank says of what cannot be, and its weights."""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import CombinedLoader
from torch.utils.data import DataLoader

from lightning_unlearn import GradientSurgery
from tests.ddp._kinds import Kind, Shares
from tests.ddp._modules import ForgetHead, NormNet, RetainHead
from tests.ddp._ranks import be_quiet, finish
from tests.strategies import _fits as fits
from tests.strategies._cases import named
from tests.strategies._modules import Net
from tests.strategies._probes import Prepared

RANK = int(os.environ["LOCAL_RANK"]) if "LOCAL_RANK" in os.environ else 0
STATIC = {"static_graph": True}


class Attempt(NamedTuple):
    """A run that must not begin."""

    module: Callable[[], Net] = Net
    flags: Mapping[str, Any] = {}
    trainer: Mapping[str, Any] = {}
    strategy: Callable[[], Any] | None = GradientSurgery
    data: Callable[[int], Any] = lambda rank: Shares(named("surgery"), Kind())


def forget_set_of(sizes):
    """Loaders whose forget set depends on the rank."""

    def make(rank):
        forget = fits.samples(sizes[rank], 2)
        return fits.sides() | {"forget": DataLoader(forget, 2, generator=torch.Generator())}

    return make


def combined(modes):
    """Loaders of which the one side runs out, combined in a way that depends on the rank."""
    return lambda rank: CombinedLoader(fits.sides(), modes[rank])


class Frozen(Net):
    """On the second rank nothing may be trained."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.requires_grad_(RANK == 0)


class MayBeEmpty(Net):
    """Lightning lets a rank have nothing if the module says so."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.allow_zero_length_dataloader_with_multiple_devices = True


def retain_alone(rank):
    return fits.sides()["retain"]


TWO = {"accumulate_grad_batches": 2}
ATTEMPTS = {
    "static-graph-accumulation": Attempt(flags=STATIC, trainer=TWO),
    "static-graph-accumulation-without-strategy": Attempt(
        flags=STATIC, trainer=TWO, strategy=None, data=retain_alone
    ),
    "forget-head": Attempt(ForgetHead),
    "forget-head-static-graph": Attempt(ForgetHead, STATIC),
    "retain-head": Attempt(RetainHead),
    "retain-head-static-graph": Attempt(RetainHead, STATIC),
    "retain-head-bucket-view": Attempt(RetainHead, {"gradient_as_bucket_view": True}),
    "other-data-on-rank-1": Attempt(
        strategy=Prepared, data=forget_set_of((4, 6)), trainer={"use_distributed_sampler": False}
    ),
    "nothing-on-rank-1": Attempt(
        MayBeEmpty, data=forget_set_of((4, 0)), trainer={"use_distributed_sampler": False}
    ),
    "other-mode-on-rank-1": Attempt(data=combined(("max_size_cycle", "max_size"))),
    "frozen-on-rank-1": Attempt(Frozen),
    "sync-batch-norm": Attempt(NormNet, trainer={"sync_batchnorm": True}),
}


def outcome(attempt):
    """What it says, and whether the weights stayed."""
    module = attempt.module()
    start = fits.weights(module)
    strategies = [] if attempt.strategy is None else [attempt.strategy()]
    trainer = {"strategy": DDPStrategy(**attempt.flags), "devices": 2} | attempt.trainer
    try:
        fits.fit(module, attempt.data(RANK), *strategies, **trainer)
    except Exception as error:
        return type(error).__name__, str(error), fits.same(start, fits.weights(module))
    return "nothing", "", False


if __name__ == "__main__":
    be_quiet()
    finish({name: outcome(attempt) for name, attempt in ATTEMPTS.items()}, sys.argv[1])
