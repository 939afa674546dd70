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


Moments = tuple[Tensor, Tensor]


def moments(features: Tensor) -> Moments:
    """Mean and covariance, in float64."""
    return features.double().mean(0), torch.cov(features.double().T)


def distance(x: Moments, y: Moments, *, exact: bool) -> Tensor:
    """Fréchet distance, exact or by their formula: the root of `(ΣT + TΣ)/2`, its negative eigenvalues set to 0, for that of `ΣT`."""
    (mean, s), (other, t) = x, y
    if exact:
        values, vectors = torch.linalg.eigh(s)
        half = vectors * values.clamp_min(0).sqrt() @ vectors.T
        product = half @ t @ half
    else:
        product = (s @ t + t @ s) / 2
    root = torch.linalg.eigvalsh(product).clamp_min(0).sqrt().sum()
    return (mean - other).square().sum() + s.trace() + t.trace() - 2 * root


def symmetrised_distance(features: Tensor, reference_features: Tensor) -> Tensor:
    """Their formula, of features."""
    return distance(moments(features), moments(reference_features), exact=False)


def one_draw(folder: Path, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Features of `count` generated and of as many real images, both chosen by `seed`."""
    stream = torch.Generator().manual_seed(seed)
    real = training_images(folder)
    chosen = torch.randperm(len(real), generator=stream)[:count]
    latents = torch.randn(count, 2, generator=stream)
    features = classifier(folder)[:-1]
    with torch.no_grad():
        return features(decoder(folder)(latents)), features(real[chosen])
