"""What is compared in these tests: a small module, three classes of samples, and strategies that fail."""

import os
import random
import signal
import time
from pathlib import Path

import lightning as L
import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset

from lightning_unlearn import ConfigurationError, FineTune, GradientDifference

CONFIG = {
    "model": {"class_path": "tests.compare._modules.Tiny"},
    "data": {
        "class_path": "lightning_unlearn.UnlearningDataModule",
        "init_args": {
            "train": {"class_path": "tests.compare._modules.Samples", "init_args": {"count": 60}},
            "test": {"class_path": "tests.compare._modules.Samples", "init_args": {"count": 30, "seed": 1}},
            "batch_size": 8,
        },
    },
    "trainer": {"max_epochs": 8, "accelerator": "cpu", "log_every_n_steps": 1},
    "requests": [
        {
            "name": "the last class",
            "forget": {"forget_class": 2},
            "settings": {"max_steps": 4, "forget_batch_size": 4, "model": {"lr": 0.2}},
            "entries": [{"strategy": "GradientDifference"}],
        }
    ],
    "original_seeds": 1,
    "reference_seeds": 1,
    "evaluation_seeds": 2,
    "processes": 1,
}


class Samples(Dataset):
    """Vectors of three classes that overlap."""

    def __init__(self, count: int = 60, seed: int = 0):
        generator = torch.Generator().manual_seed(seed)
        self.targets = torch.arange(count) % 3
        self.inputs = torch.randn(count, 4, generator=generator) + self.targets[:, None]

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        return self.inputs[index], self.targets[index]


class Tiny(L.LightningModule):
    """Plain gradient descent; with `noise` a step draws from every random stream there is."""

    def __init__(self, lr: float = 0.1, noise: float = 0.0):
        super().__init__()
        self.lr, self.noise = lr, noise
        self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, inputs):
        return self.net(inputs)

    def training_step(self, batch, batch_idx):
        inputs, labels = batch
        drawn = random.random() + np.random.rand() + torch.rand(())
        return cross_entropy(self.net(inputs + self.noise * drawn), labels)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), self.lr)


class Still(Tiny):
    """Has a step size of its own."""

    def __init__(self):
        super().__init__()


class Batches(L.LightningDataModule):
    """A data module of one's own, whose split is drawn in `setup`."""

    def __init__(self, share: float = 0.8):
        super().__init__()
        self.share = share

    def setup(self, stage):
        everything = Samples(75)
        chosen = torch.randperm(75)
        cut = int(self.share * 75)
        self.train, self.rest = (_Part(everything, part) for part in (chosen[:cut], chosen[cut:]))

    def train_dataloader(self):
        return DataLoader(self.train, 8, shuffle=True)

    def test_dataloader(self):
        return DataLoader(self.rest, 8)


class _Part(Samples):
    def __init__(self, inner, indices):
        self.inputs, self.targets = inner.inputs[indices], inner.targets[indices]


class Raises(FineTune):
    """Raises in its second step."""

    def direction(self, forget, retain):
        if self.progress.step == 1:
            raise RuntimeError("it is the second step")
        return super().direction(forget, retain)


class Ruins(FineTune):
    """Writes what is not a number into the weights."""

    def on_train_end(self, trainer, pl_module):
        with torch.no_grad():
            pl_module.net[0].weight[0, 0] = torch.nan


class Kills(FineTune):
    """Ends its process, as a machine without memory would."""

    def direction(self, forget, retain):
        print("the last words", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


class Waits(GradientDifference):
    """Waits as long as a file is there, whose name the environment has."""

    def direction(self, forget, retain):
        waiting = Path(os.environ.get("WAIT_FOR", "/nowhere"))
        if self.progress.step == 2 and waiting.exists():
            waiting.with_suffix(".waits").touch()
            while waiting.exists():
                time.sleep(0.02)
        return super().direction(forget, retain)


class Slanted(FineTune):
    """Has an argument that must be positive, and a seed."""

    def __init__(self, slope: float = 1.0, *, seed: int = 0):
        super().__init__()
        self.slope, self.seed = slope, seed


class Picky(Tiny):
    """Refuses a step size itself."""

    def __init__(self, lr: float = 0.1):
        super().__init__(lr)
        if lr <= 0:
            raise ConfigurationError(f"`lr` must be a number above 0, found {lr}.")


class Unlimited(FineTune):
    """Has an argument that may be infinite."""

    def __init__(self, most: float = float("inf")):
        super().__init__()
        self.most = most


class Within(GradientDifference):
    """Has two arguments that must go together."""

    def __init__(self, low: float = 0.1, high: float = 0.9):
        super().__init__()
        if low >= high:
            raise ConfigurationError(f"`low` must be below `high`, found {low} and {high}.")
        self.low, self.high = low, high


def predict(module, batch):
    inputs, labels = batch
    return module(inputs), labels


def other_predict(module, batch):
    return predict(module, batch)
