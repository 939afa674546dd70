"""Run as `python -m tests.resume._ranks FOLDER NAME END`, once a rank.

Fits under DistributedDataParallel, saves `NAME-RANK.pt`, and with END = "killed" ends by SIGKILL after the fourth step,
with "resumed" begins at the last checkpoint, with "whole" goes from start to end.
"""

import logging
import os
import random
import signal
import sys
import warnings
from pathlib import Path

import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.strategies import DDPStrategy

from tests.resume import _law as law
from tests.resume._probes import FisherLike
from tests.strategies import _fits as fits


class Ranked(law.Module):
    """What is logged is the mean of both ranks."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.log("mean_of_ranks", loss, on_step=True, on_epoch=True, sync_dist=True)
        return loss


class Kill(L.Callback):
    def on_train_batch_start(self, trainer, *_):
        if trainer.global_step == 4:
            torch.distributed.barrier()
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder, name, end):
    """One rank."""
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    rank, path = int(os.environ["LOCAL_RANK"]), Path(folder)
    saves = ModelCheckpoint(path, every_n_train_steps=1, save_last=True, save_top_k=1)
    callbacks = [FisherLike(state_dir=str(path / "large")), saves, *([Kill()] if end == "killed" else [])]
    options = {
        **fits.QUIET,
        "enable_checkpointing": True,
        "devices": 2,
        "strategy": DDPStrategy(),
    }
    logger = fits.Recording()
    trainer = L.Trainer(**{**options, "logger": logger}, callbacks=callbacks)
    fits.seed_all(100 * rank + (7 if end == "resumed" else 0))
    module = Ranked()
    data = law.own_data()
    trainer.fit(module, datamodule=data, ckpt_path=path / "last.ckpt" if end == "resumed" else None)
    left = {
        "state": module.state_dict(),
        "seen": module.seen,
        "optimizer": trainer.optimizers[0].state_dict(),
        "streams": [torch.get_rng_state(), random.random()],
        "log": [row for _, row in logger.records],
        "metrics": dict(trainer.callback_metrics),
    }
    torch.save(left, path / f"{name}-{rank}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()  # or a rank may abort at exit


if __name__ == "__main__":
    main(*sys.argv[1:])
