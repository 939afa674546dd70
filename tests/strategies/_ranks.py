"""Run as `python -m tests.strategies._ranks FOLDER`, once a rank: fits every row and saves the weights."""

import logging
import sys
import warnings
from pathlib import Path

import lightning.pytorch as L
import torch
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader, TensorDataset

from tests.strategies import _fits as fits
from tests.strategies._cases import CASES
from tests.strategies._laws import loaders_for
from tests.strategies._modules import Net

SAMPLES, BATCH = 24, 8


class Shares(L.LightningDataModule):
    """Global batches of `BATCH`, of which rank r takes every second sample from r on."""

    def __init__(self, case):
        super().__init__()
        self.case = case

    def train_dataloader(self):
        rank, world_size = self.trainer.global_rank, self.trainer.world_size
        loaders = {}
        for side, seed in (("retain", 1), ("forget", 2)):
            tensors = fits.samples(SAMPLES, seed).tensors
            own = TensorDataset(*(t[rank::world_size] for t in tensors))
            loaders[side] = DataLoader(own, BATCH // world_size, generator=torch.Generator())
        return loaders_for(self.case, loaders)


def end_of(case, **trainer):
    """The weights after two epochs."""
    module = Net()
    fits.fit(module, Shares(case), case.make(), use_distributed_sampler=False, **trainer)
    return fits.weights(module)


KINDS = {
    "default": ({}, {}),
    "accumulation": ({}, {"accumulate_grad_batches": 2}),
    "bucket-view": ({"gradient_as_bucket_view": True}, {}),
}


def main(folder):
    """One rank."""
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    ends = {
        (case.id, kind): end_of(case, strategy=DDPStrategy(**flags), devices=2, **trainer)
        for case in CASES
        for kind, (flags, trainer) in KINDS.items()
    }
    torch.save(ends, Path(folder) / f"{torch.distributed.get_rank()}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()  # or a rank may abort at exit


if __name__ == "__main__":
    main(sys.argv[1])
