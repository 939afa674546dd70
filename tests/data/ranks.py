"""Run as a script: fit on several processes and save what each rank has seen.

A script, since spawned processes cannot import the test modules.
"""

import sys
import warnings

import lightning as L
import torch
from torch.utils.data import TensorDataset

from lightning_unlearn.data import UnlearningDataModule


class Shares(L.LightningModule):
    def __init__(self, folder):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.folder, self.seen, self.validated = folder, [], []

    def training_step(self, batch, batch_idx):
        self.seen.append((self.current_epoch, {side: index.tolist() for side, [index] in batch.items()}))
        return self.weight**2

    def validation_step(self, batch, batch_idx):
        self.validated += batch[0].tolist()

    def on_fit_start(self):
        torch.set_num_threads(1)

    def on_train_end(self):
        torch.save((self.seen, self.validated), f"{self.folder}/{self.global_rank}.pt")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


if __name__ == "__main__":
    folder, overfit = sys.argv[1], int(sys.argv[2])
    val = TensorDataset(torch.arange(4))
    data = UnlearningDataModule(TensorDataset(torch.arange(20)), [0, 1, 2], batch_size=4, val=val)
    trainer = L.Trainer(
        max_epochs=2,
        accelerator="cpu",
        strategy="ddp_spawn",
        devices=2,
        logger=False,
        overfit_batches=overfit,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    warnings.simplefilter("ignore")
    trainer.fit(Shares(folder), datamodule=data)
