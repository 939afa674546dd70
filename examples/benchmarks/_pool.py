"""Many small classifiers of digits, trained at once: what a calibration needs hundreds of."""

import math
from functools import cache

import lightning as L
import torch
from torch import nn

from lightning_unlearn.demo import Digits

HIDDEN, CLASSES = 32, 10


class Perceptron(L.LightningModule):
    """Two layers."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))

    def forward(self, images):
        return self.net(images)


@cache
def everything():
    """All 1,797 digits, training and test."""
    parts = [Digits(train=part) for part in (True, False)]
    return torch.cat([part.images for part in parts]), torch.cat([part.targets for part in parts])


def train(chosen, seed, epochs=30, batch_size=64, lr=0.05):
    """Train one model for each row of `chosen`, the indices of its training samples, shape (M, n); returns state dicts."""
    images, labels = everything()
    images = images.flatten(1)
    generator = torch.Generator().manual_seed(seed)
    count, size = chosen.shape

    def layer(wide, narrow):
        bound = 1 / math.sqrt(wide)
        shapes = [(count, narrow, wide), (count, 1, narrow)]
        return [
            ((torch.rand(shape, generator=generator) * 2 - 1) * bound).requires_grad_() for shape in shapes
        ]

    first, second = layer(64, HIDDEN), layer(HIDDEN, CLASSES)
    optimizer = torch.optim.SGD([*first, *second], lr=lr, momentum=0.9)
    for _ in range(epochs):
        order = torch.rand(count, size, generator=generator).argsort(1)
        for start in range(0, size - batch_size + 1, batch_size):
            rows = chosen.gather(1, order[:, start : start + batch_size])
            hidden = torch.baddbmm(first[1], images[rows], first[0].mT).relu()
            logits = torch.baddbmm(second[1], hidden, second[0].mT)
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), labels[rows].flatten(), reduction="sum")
            optimizer.zero_grad()
            (loss / batch_size).backward()
            optimizer.step()
    names = ("net.1.weight", "net.1.bias", "net.3.weight", "net.3.bias")
    tensors = [tensor.detach() for tensor in (first[0], first[1][:, 0], second[0], second[1][:, 0])]
    return [
        {name: tensor[model].clone() for name, tensor in zip(names, tensors, strict=True)}
        for model in range(count)
    ]
