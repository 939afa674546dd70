"""Run as `python -m tests.recorder._ranks FOLDER`, once a rank: a training that records, and its checkpoint."""

import logging
import os
import sys
import warnings

import lightning.pytorch as L
import torch
from torch.utils.data import DataLoader

from lightning_unlearn import InputCovariance
from tests.recorder._trained import Classifier, trained
from tests.strategies import _fits as fits


class Uneven(L.LightningDataModule):
    """A number of samples that two does not divide."""

    def train_dataloader(self):
        return DataLoader(fits.samples(13, 1), 4)


def main(folder):
    """One rank."""
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    trainer, _ = trained(InputCovariance(), data=Uneven(), module=Classifier(), devices=2, strategy="ddp")
    trainer.save_checkpoint(f"{folder}/both.ckpt")
    torch.save(trainer.callbacks[0]._measured.to_plain(), f"{folder}/{os.environ['LOCAL_RANK']}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
