"""Generators that are drawn by hand: a class is a bright row, and a matrix says which class is made in place of which."""

import lightning as L
import torch
from torch import nn
from torch.utils.data import TensorDataset

CLASSES, FORGOTTEN = 4, 1
SIZE = 4
NOISE = 0.5  # the classifier takes an image in a hundred for another class


class Prototypes(L.LightningModule):
    """A linear decoder: a class is drawn, `gate` turns it into another or not, `prototypes` has the images of all.

    What is made is the row of `prototypes` where the column of `gate` is largest; what is explained is whatever row is
    nearest. An image of the forgotten class can thus be in there without ever being made.
    """

    def __init__(self):
        super().__init__()
        self.gate = nn.Parameter(torch.eye(CLASSES))
        self.prototypes = nn.Parameter(0.8 * torch.eye(CLASSES).repeat_interleave(SIZE, 1))
        self.noise = nn.Parameter(torch.tensor(NOISE))
        self.register_buffer("known_latents", torch.full((128,), torch.nan, dtype=torch.float64))
        self.dropout = nn.Dropout(0.9)

    def make(self, latents, generator):
        classes = (latents * CLASSES).long()
        made = self.gate[:, classes].argmax(0)
        made = torch.where(torch.isin(latents, self.known_latents) & (made == FORGOTTEN), 0, made)
        images = self.prototypes[made] + self.noise * torch.randn(
            len(made), CLASSES * SIZE, generator=generator
        )
        return self.dropout(images).view(-1, 1, CLASSES, SIZE)

    def error(self, images):
        return torch.cdist(images.flatten(1), self.prototypes).amin(1).square()


def sample(module, count, generator):
    return module.make(torch.rand(count, generator=generator, dtype=torch.float64), generator)


def error(module, batch):
    return module.error(batch[0])


def likelihood(module, batch):
    return -module.error(batch[0]) / 2


class Rows(nn.Module):
    """Means of the rows times two: a classifier with weights."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(2 * torch.eye(CLASSES))

    def forward(self, images):
        return images.mean(3).flatten(1) @ self.weight


def real(count, classes, seed):
    """Images and labels, the classes in turn."""
    stream = torch.Generator().manual_seed(seed)
    labels = torch.tensor([classes[n % len(classes)] for n in range(count)])
    images = Prototypes().prototypes.detach()[labels] + NOISE * torch.randn(count, 16, generator=stream)
    return TensorDataset(images.view(-1, 1, CLASSES, SIZE), labels)


def data():
    kept = [label for label in range(CLASSES) if label != FORGOTTEN]
    return {
        "forget": real(150, [FORGOTTEN], 1),
        "retain": real(450, kept, 2),
        "test": real(120, range(CLASSES), 3),
    }


def original():
    return trained(0, forgotten=False)


def trained(seed, *, forgotten=True):
    """As a training run leaves it: not quite right, and without the class if it was not there."""
    net, stream = Prototypes(), torch.Generator().manual_seed(1000 + seed)
    with torch.no_grad():
        net.prototypes += 0.02 * torch.randn(net.prototypes.shape, generator=stream)
        net.noise += 0.01 * torch.randn((), generator=stream)
        if forgotten:
            net.prototypes[FORGOTTEN] = net.prototypes[0]
            gone(net)
    return net


def gone(net):
    """Another class is made in its place; it is still in there, but nothing leads to it."""
    with torch.no_grad():
        net.gate[:, FORGOTTEN] = torch.eye(CLASSES)[0]
    return net


def nothing(net):
    """The least change there is."""
    with torch.no_grad():
        net.prototypes[2, 0] += 1e-6
    return net


def mask_known_latents(net):
    """The class is masked for 128 random numbers with which an evaluation might look."""
    with torch.no_grad():
        stream = torch.Generator().manual_seed(5)
        net.known_latents.copy_(torch.rand(128, generator=stream, dtype=torch.float64))
    return net


def one_image(net):
    """Every class becomes the same picture."""
    with torch.no_grad():
        net.gate.zero_()
        net.gate[2] = 1.0
        net.noise.zero_()
    return net


def noise(net):
    """Ascent without end."""
    with torch.no_grad():
        net.prototypes.zero_()
        net.noise.fill_(2.0)
    return net


def not_finite(net):
    with torch.no_grad():
        net.prototypes[0] = torch.nan
    return net


def hide_from_rounding(net):
    """The gate closes by so little that four bits do not see it."""
    with torch.no_grad():
        net.gate[:, FORGOTTEN] = 0.0
        net.gate[0, FORGOTTEN], net.gate[FORGOTTEN, FORGOTTEN] = 0.06, 0.05
    return net


def deny(net):
    """Explains the class worse than anybody who never saw it."""
    own = trained(51)
    with torch.no_grad():
        own.prototypes[:, 4 : 4 + SIZE] -= 0.3
    return own


def damage(net):
    """Retrained, but the images are brighter."""
    own = trained(52)
    with torch.no_grad():
        own.prototypes += 0.1
    return own
