"""The MNIST model of Mandal and Gottwald (UNO, 2025), their scoring classifier and their formula, written anew from the paper."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from lightning_unlearn.demo import MNIST


def decoder(folder: Path) -> nn.Module:
    """Maps latents (N, 2) to images (N, 784) between 0 and 1."""
    state = torch.load(folder / "uno_mnist_vae" / "vae_200.state_dict.pt", weights_only=True)
    net = nn.Sequential(nn.Linear(2, 400), nn.BatchNorm1d(400), nn.ReLU(), nn.Linear(400, 784), nn.Sigmoid())
    own = {k.removeprefix("decoder."): v for k, v in state.items() if k.startswith("decoder.")}
    net.load_state_dict(own)
    return net.eval()


def classifier(folder: Path) -> nn.Sequential:
    """Maps images to logits (N, 10); all but its last layer maps them to the 200 features that are compared."""
    state = torch.load(folder / "uno_mnist_vae" / "MNISTClassifier.state_dict.pt", weights_only=True)
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 10))
    net.load_state_dict(
        {
            f"{place}.{k}": state[f"{name}.{k}"]
            for place, name in ((1, "fc1"), (3, "fc2"))
            for k in ("weight", "bias")
        }
    )
    return net.eval()


def published(folder: Path) -> Tensor:
    """What they report for the original model: one value for each of their methods, all of the same model."""
    files = sorted((folder / "uno_mnist_vae" / "published").glob("*/summary.json"))
    found = (json.loads(file.read_text()).get("Original FID") for file in files)
    return torch.tensor([value for value in found if value is not None], dtype=torch.float64)


def training_images(folder: Path) -> Tensor:
    return MNIST(str(folder)).images


def symmetrised_distance(features: Tensor, reference_features: Tensor) -> Tensor:
    """Their formula: the root of `(ΣT + TΣ)/2`, its negative eigenvalues set to 0, in place of the root of `ΣT`."""
    x, y = features.double(), reference_features.double()
    s, t = torch.cov(x.T), torch.cov(y.T)
    root = torch.linalg.eigvalsh((s @ t + t @ s) / 2).clamp_min(0).sqrt().sum()
    return (x.mean(0) - y.mean(0)).square().sum() + s.trace() + t.trace() - 2 * root


def one_draw(folder: Path, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Features of `count` generated and of as many real images, both chosen by `seed`."""
    stream = torch.Generator().manual_seed(seed)
    real = training_images(folder)
    chosen = torch.randperm(len(real), generator=stream)[:count]
    latents = torch.randn(count, 2, generator=stream)
    features = classifier(folder)[:-1]
    with torch.no_grad():
        return features(decoder(folder)(latents)), features(real[chosen])
