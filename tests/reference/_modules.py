"""What is retrained in these tests: a module that leaves every trace a resumed run could miss, and data."""

import os
import random
import signal
import time
from functools import partial

import lightning as L
import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

from lightning_unlearn import UnlearningDataModule


class Killed(Exception):
    """An end that nobody expected."""


class Small(L.LightningModule):
    """Dropout, batch normalisation, all random streams, a scheduler that looks at an epoch's mean."""

    stop_at = None  # epoch and batch
    seen: list = []  # noqa: RUF012

    def __init__(self, lr=0.1, patience=0):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3)
        )
        self.accuracy = MulticlassAccuracy(3)

    def training_step(self, batch, batch_idx):
        if (self.current_epoch, batch_idx) == self.stop_at:
            raise Killed
        assert not isinstance(batch, dict)
        inputs, labels = batch
        self.seen.append((self.current_epoch, inputs))
        noise = random.random() + np.random.rand() + torch.rand(())
        logits = self.net(inputs + 0.01 * noise)
        loss = cross_entropy(logits, labels)
        self.accuracy(logits, labels)
        self.log("accuracy", self.accuracy)
        self.log("loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), self.hparams.lr, momentum=0.9)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=0.5, patience=self.hparams.patience
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "monitor": "loss_epoch"},
        }


class Slow(Small):
    """Takes its time, and waits to be interrupted in an epoch that the environment names."""

    def on_train_batch_start(self, batch, batch_idx):
        time.sleep(0.05)
        while str(self.current_epoch) == os.environ.get("WAIT_IN_EPOCH"):
            time.sleep(0.05)


class Fragile(Small):
    """Seed 2 raises, and seed 3 is killed."""

    def training_step(self, batch, batch_idx):
        if torch.initial_seed() == 2:
            raise RuntimeError("it is seed two")
        if torch.initial_seed() == 3:
            print("the last words", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().training_step(batch, batch_idx)


def samples(count=36, seed=0):
    """Vectors of three classes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    inputs = torch.randn(count, 4, generator=generator) + labels[:, None]
    return TensorDataset(inputs, labels)


def sides(train=None, batch_size=8, **options):
    """A data module: 6 of 36 samples are forgotten, 30 stay."""
    if not options.keys() & {"forget", "forget_class", "forget_fraction"}:
        options["forget"] = list(range(0, 36, 6))
    return UnlearningDataModule(train or samples(), batch_size=batch_size, **options)


class Noisy(Dataset):
    """Augmented by the global streams."""

    def __init__(self, inner):
        self.inner = inner

    def __len__(self):
        return len(self.inner)

    def __getitem__(self, index):
        inputs, label = self.inner[index]
        return inputs + 0.01 * torch.rand(()) + 0.01 * random.random() + 0.01 * np.random.rand(), label


class Mapped(L.LightningDataModule):
    """A data module of one's own: two loaders under their names, shuffled by the global stream."""

    def train_dataloader(self):
        retain = DataLoader(samples(30), 8, shuffle=True)
        return {"retain": retain, "forget": DataLoader(samples(6, seed=1), 8, shuffle=True)}


class Plain(L.LightningDataModule):
    """Without a retain side."""

    def train_dataloader(self):
        return DataLoader(samples(), 8)


def trainer(**options):
    """Of four epochs."""
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    return partial(L.Trainer, **{"max_epochs": 4, "accelerator": "cpu", **quiet, **options})
