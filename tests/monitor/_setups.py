"""Three clouds of points, a model that tells them apart from the start, and independent numbers about it."""

import lightning.pytorch as L
import numpy as np
import torch
from scipy.special import log_softmax
from sklearn.metrics import accuracy_score
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from lightning_unlearn import ForgettingMonitor
from tests.strategies._fits import fit

CENTRES = torch.tensor([[3.0, 0.0], [-1.5, 2.6], [-1.5, -2.6]])


def clouds(count, seed, classes=(0, 1, 2), spread=1.5):
    """`count` points of each class, in a mixed order."""
    stream = torch.Generator().manual_seed(seed)
    labels = torch.tensor(classes).repeat(count)
    return TensorDataset(CENTRES[labels] + spread * torch.randn(len(labels), 2, generator=stream), labels)


# a batch size of which no set is a multiple: means of means would show
RETAIN, FORGET, TEST = clouds(20, 1), clouds(9, 2), clouds(15, 3)
SETS = {"forget": FORGET, "retain": RETAIN, "test": TEST}


def loaders(forget=FORGET, retain=RETAIN):
    return {"retain": DataLoader(retain, 8), "forget": DataLoader(forget, 8, generator=torch.Generator())}


class Clouds(L.LightningModule):
    """Logits are inner products with the centres; batch norm and dropout have something to lose."""

    def __init__(self, lr=0.05):
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.dropout = nn.Dropout(0.3)
        self.layer = nn.Linear(2, 3, bias=False)
        self.lr = lr
        with torch.no_grad():
            self.layer.weight.copy_(CENTRES / 2)
            self.norm.running_var.fill_(4.0)

    def forward(self, inputs):
        return self.layer(self.dropout(self.norm(inputs)))

    def training_step(self, batch, batch_idx):
        return cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


def state(module):
    """A copy of parameters and buffers."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


class States(L.Callback):
    """Keeps the state after each number of optimiser steps, before the callbacks behind it see the batch end."""

    def __init__(self):
        self.at = {}

    def on_train_start(self, trainer, pl_module):
        self.at = {0: state(pl_module)}

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.at[trainer.global_step] = state(pl_module)


def numbers(values, data):
    """Accuracy and mean cross-entropy of a saved state of `Clouds` in evaluation mode, in NumPy and scikit-learn."""
    s = {name: tensor.double().numpy() for name, tensor in values.items()}
    inputs, labels = (tensor.numpy() for tensor in data.tensors)
    scaled = (inputs - s["norm.running_mean"]) / np.sqrt(s["norm.running_var"] + 1e-5)
    logits = (scaled * s["norm.weight"] + s["norm.bias"]) @ s["layer.weight"].T
    loss = -log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean()
    return accuracy_score(labels, logits.argmax(1)), loss


def monitored(strategy, data=None, module=None, monitor=None, others=(), **arguments):
    """A run with a monitor that never interferes unless it is given; returns (trainer, module, monitor, states)."""
    module = module or Clouds()
    monitor = monitor or ForgettingMonitor(every_n_steps=1, target=None, retain_floor=0.0)
    states = States()
    trainer = fit(module, data or loaders(), states, strategy, monitor, *others, **arguments)
    return trainer, module, monitor, states


def steps(monitor):
    return [row["step"] for row in monitor.history]
