"""Small networks, retained inputs that lie in half of the space, and trainings that record."""

import copy

import lightning.pytorch as L
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, AdamW
from torch.utils.data import ConcatDataset, DataLoader, TensorDataset

from lightning_unlearn import PGU, InputCovariance
from tests.strategies import _fits as fits

CLASSES = 3


def adamw(parameters):
    return AdamW(parameters, lr=0.01, weight_decay=0.1)


def momentum(parameters):
    return SGD(parameters, lr=0.05, momentum=0.9)


class Stack(L.LightningModule):
    """Whatever layers, and a cross-entropy."""

    def __init__(self, make, optimizer=adamw):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.net = make().double()
        self.make_optimizer = optimizer

    def forward(self, inputs):
        return self.net(inputs)

    def training_step(self, batch, batch_idx):
        return cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self):
        return self.make_optimizer(self.parameters())


def flat(convolution, features):
    return nn.Sequential(convolution, nn.Tanh(), nn.Flatten(), nn.Linear(features, CLASSES))


STACKS = {
    "linear": lambda: nn.Sequential(nn.Linear(12, CLASSES)),
    "deep-linear": lambda: nn.Sequential(nn.Linear(12, 12), nn.Linear(12, CLASSES)),
    "multilayer": lambda: nn.Sequential(nn.Linear(12, 20), nn.Tanh(), nn.Linear(20, CLASSES)),
    "strided": lambda: flat(nn.Conv2d(4, 6, 3, stride=2), 54),
    "grouped": lambda: flat(nn.Conv2d(4, 6, 3, groups=2, padding=1, stride=2), 96),
    "dilated": lambda: flat(nn.Conv2d(4, 6, (3, 5), dilation=(2, 1), padding="same"), 384),
    "reflected": lambda: flat(nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect", stride=(1, 2)), 192),
    "one-dimensional": lambda: flat(nn.Conv1d(4, 6, 3, stride=2, dilation=2), 18),
    "three-dimensional": lambda: flat(nn.Conv3d(4, 4, 2, stride=2), 32),
}


def inputs_for(name, samples, seed, deficient):
    """Retained inputs lie in half of the space: of a pair of channels (or features) one repeats the other."""
    shape = {"one-dimensional": (10,), "three-dimensional": (4, 4, 4)}.get(name, (8, 8))
    shape = (12,) if name.endswith(("linear", "layer")) else (4, *shape)
    stream = torch.Generator().manual_seed(seed)
    inputs = torch.randn(samples, *shape, generator=stream, dtype=torch.float64)
    if deficient:
        inputs[:, 1::2] = inputs[:, 0::2]
    return TensorDataset(inputs, torch.randint(CLASSES, (samples,), generator=stream))


def sets(name):
    """The retain and the forget set; few retained samples, so that the last layer is not full either."""
    return inputs_for(name, 6, 1, True), inputs_for(name, 5, 2, False)


def ordered(data, batch_size=4):
    return DataLoader(data, batch_size, generator=torch.Generator())


def recorded(path, module, *parts, **arguments):
    """Train a little on all parts, record, and save; the module is then the trained one."""
    trainer = fits.fit(module, ordered(ConcatDataset(parts)), InputCovariance(**arguments), max_epochs=1)
    trainer.save_checkpoint(path)
    return module


def moves(module, before, data):
    """Largest change of an output."""
    with torch.no_grad():
        return float((module(data.tensors[0]) - before(data.tensors[0])).abs().max())


def unlearned(name, path, optimizer=adamw, **arguments):
    """(movement of retained outputs, of forgotten ones)."""
    kept, gone = sets(name)
    module = recorded(path, Stack(STACKS[name], optimizer), kept, gone)
    before = copy.deepcopy(module.net)
    strategy = PGU(str(path), threshold=1.0, **arguments)
    fits.fit(module, {"forget": ordered(gone)}, strategy, max_epochs=3)
    return moves(module, before, kept), moves(module, before, gone)
