"""Run as `python -m tests.manual._ranks FOLDER`, once a rank: plays every row and saves the weights."""

import logging
import sys
import warnings
from pathlib import Path

import lightning.pytorch as L
import torch
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader, TensorDataset

from tests.manual._cases import ADVERSARIAL, PASSES_ELSEWHERE
from tests.manual._modules import Gan, ManualNet
from tests.strategies import _fits as fits
from tests.strategies._laws import loaders_for

KINDS = {
    "toggled": ("toggled", {}),
    "shared": ("shared", {}),
    "one-optimiser": (None, {}),
    "bucket-view": ("plain", {"gradient_as_bucket_view": True}),
}


class Shares(L.LightningDataModule):
    """Global batches of 8, of which rank r takes every second sample from r on."""

    def __init__(self, case):
        super().__init__()
        self.case = case

    def train_dataloader(self):
        rank, world_size = self.trainer.global_rank, self.trainer.world_size
        loaders = {}
        for side, seed in (("retain", 1), ("forget", 2)):
            own = TensorDataset(*(t[rank::world_size] for t in fits.samples(24, seed).tensors))
            loaders[side] = DataLoader(own, 8 // world_size, generator=torch.Generator())
        return loaders_for(self.case, loaders)


def combinations():
    """Every row with every kind that can repeat a pass as the row wants it."""
    return [
        (case, kind)
        for case in ADVERSARIAL
        for kind in KINDS
        if not (kind == "bucket-view" and case.id.startswith(PASSES_ELSEWHERE))
    ]


def end_of(case, kind, flags=None, **trainer):
    """The weights after two epochs."""
    style = KINDS[kind][0]
    module = ManualNet() if style is None else Gan(style)
    if flags is not None:
        trainer["strategy"] = DDPStrategy(find_unused_parameters=True, **flags)
    fits.fit(module, Shares(case), case.make(), use_distributed_sampler=False, **trainer)
    return fits.weights(module)


def main(folder):
    """One rank."""
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    ends = {(case.id, kind): end_of(case, kind, KINDS[kind][1], devices=2) for case, kind in combinations()}
    torch.save(ends, Path(folder) / f"{torch.distributed.get_rank()}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()  # or a rank may abort at exit


if __name__ == "__main__":
    main(sys.argv[1])
