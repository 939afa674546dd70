"""Run as `python -m tests.resume._process FOLDER STEP`: saves at every step, and ends by SIGKILL after STEP of them."""

import logging
import os
import signal
import sys
import warnings
from pathlib import Path

import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from tests.resume import _law as law
from tests.resume._probes import FisherLike


class Kill(L.Callback):
    def __init__(self, step):
        self.step = step

    def on_train_batch_start(self, trainer, *_):
        if trainer.global_step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder, step):
    """Does not return."""
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    saves = ModelCheckpoint(Path(folder), every_n_train_steps=1, save_last=True)
    law.run(FisherLike(), saves, Kill(int(step)))


if __name__ == "__main__":
    main(*sys.argv[1:])
