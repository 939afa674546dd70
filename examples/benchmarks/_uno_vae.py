"""One run on the VAE of UNO through `Trainer.fit`, watched as their protocol does; used by `uno_vae.py`."""

from __future__ import annotations

import copy
import logging
import time
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import _uno as uno
import lightning as L
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from uno_audit import BATCH, VAE

from lightning_unlearn.demo import MNIST

THRESHOLD, LATENTS, SAMPLES, AFTERWARDS = 0.02, 128, 10_000, 50


class TrainedVAE(VAE):
    """Their loss, summed over the batch, and their optimiser."""

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return sum(self.terms(batch[0])).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 1e-3)


class Bench:
    """Data, scoring classifier and measures for one digit."""

    def __init__(self, folder: Path, digit: int) -> None:
        mnist = MNIST(str(folder))
        self.folder, self.digit = folder, digit
        gone = mnist.targets == digit
        self.forget, self.retain = mnist.images[gone], mnist.images[~gone]
        self.classifier = uno.classifier(folder).requires_grad_(False)
        with torch.no_grad():
            features = self.classifier[:-1](mnist.images)
        self.real = {"all": uno.moments(features), "retained": uno.moments(features[~gone])}

    def original(self) -> TrainedVAE:
        vae = TrainedVAE()
        state = torch.load(
            self.folder / "uno_mnist_vae" / "vae_200.state_dict.pt", weights_only=True, map_location="cpu"
        )
        vae.load_state_dict(state)
        return vae

    def loaders(self, seed: int) -> dict[str, DataLoader]:
        return {
            side: DataLoader(
                TensorDataset(images),
                BATCH,
                shuffle=True,
                drop_last=True,
                generator=torch.Generator().manual_seed(seed),
            )
            for side, images in (("retain", self.retain), ("forget", self.forget))
        }

    @torch.no_grad()
    def fraction(self, images: Tensor) -> float:
        return float((self.classifier(images).argmax(1) == self.digit).float().mean())

    @torch.no_grad()
    def measure(self, vae: VAE, seed: int) -> dict[str, float]:
        """What 10,000 samples in evaluation mode are like."""
        images = made(vae, latents(SAMPLES, seed + 10_000), training=False)
        found = uno.moments(self.classifier[:-1](images))
        distances = {
            f"{'exact' if exact else 'theirs'}, {of}": float(uno.distance(found, real, exact=exact))
            for of, real in self.real.items()
            for exact in (False, True)
        }
        return {"fraction": self.fraction(images)} | distances


def latents(count: int, seed: int) -> Tensor:
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def made(vae: VAE, z: Tensor, *, training: bool) -> Tensor:
    """Images of the decoder in this mode; nothing else changes."""
    decoder = copy.deepcopy(vae.decoder)
    return decoder.train(training)(z)


class Watch(L.Callback):
    """Their protocol: after each step, the fraction of the 128 fixed latents, in training mode, and what it is like at the first hit."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench, self.seed, self.fixed = bench, seed, latents(LATENTS, seed)
        self.fractions: list[float] = []
        self.hit: dict[str, Any] | None = None
        self.at_hit: dict[str, Tensor] | None = None

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: VAE, *_: Any) -> None:
        fraction = self.bench.fraction(made(pl_module, self.fixed, training=True))
        self.fractions.append(fraction)
        if self.hit is None and fraction < THRESHOLD:
            self.at_hit = copy.deepcopy(pl_module.state_dict())
            self.hit = {"step": trainer.global_step} | self.bench.measure(pl_module, self.seed)


class Stopwatch(L.Callback):
    """Seconds of each step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_batch_start(self, *_: Any) -> None:
        self.start = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        self.seconds.append(time.perf_counter() - self.start)


def fit(vae: VAE, loaders: Any, steps: int, *callbacks: L.Callback) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few workers, of Lightning's own deprecations
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        trainer = L.Trainer(
            accelerator="cpu",
            max_steps=steps,
            max_epochs=-1,
            callbacks=list(callbacks),
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(vae, loaders)


def loaders_for(strategy: Any, loaders: dict[str, DataLoader]) -> dict[str, DataLoader]:
    return loaders if strategy.needs_retain else {"forget": loaders["forget"]}


def run(bench: Bench, strategy: Any, steps: int, seed: int) -> dict[str, Any]:
    """The published weights after `steps` of the strategy, and after ordinary training from the first hit and from the end."""
    vae, watch = bench.original(), Watch(bench, seed)
    start = bench.measure(vae, seed)
    torch.manual_seed(seed)
    fit(vae, loaders_for(strategy, bench.loaders(seed)), steps, strategy, watch)
    end = bench.measure(vae, seed)
    found: dict[str, Any] = {"fractions": watch.fractions, "start": start, "hit": watch.hit, "end": end}
    stops = {"hit": watch.at_hit, "end": vae.state_dict()}
    found["revived"] = {
        name: afterwards(bench, state, seed) for name, state in stops.items() if state is not None
    }
    return found


def afterwards(bench: Bench, state: dict[str, Tensor], seed: int) -> dict[str, float]:
    """What it is like after 50 ordinary steps on retained digits, with a new optimiser and other batches."""
    vae = bench.original()
    vae.load_state_dict(state)
    torch.manual_seed(seed + 1000)
    fit(vae, bench.loaders(seed + 1000)["retain"], AFTERWARDS)
    return bench.measure(vae, seed)


@cache
def judge(bench: Bench, seed: int, epochs: int = 3) -> nn.Module:
    """Log-odds of forgotten against retained digits, from the two sides alone; not the classifier that scores."""
    torch.manual_seed(seed + 50)
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 1))
    adam = torch.optim.Adam(net.parameters(), 1e-3)
    target = torch.cat([torch.zeros(BATCH), torch.ones(BATCH)])
    for _ in range(epochs):
        for (kept,) in bench.loaders(seed)["retain"]:
            gone = bench.forget[torch.randint(len(bench.forget), (BATCH,))]
            odds = net(torch.cat([kept, gone]).flatten(1)).squeeze(1)
            adam.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(odds, target).backward()
            adam.step()
    return net.eval()
