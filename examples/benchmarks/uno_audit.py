"""The audit of a generator on the MNIST VAE of UNO (Mandal and Gottwald 2025), which is to forget the digit 1.

    python examples/benchmarks/uno_audit.py DATA [--references 3] [--epochs 10] [--output FOLDER]

References are retrained without the digit, with other seeds; one more of them is audited. "ascent" is steps on the forget
loss: four, after which their runs count the digit as forgotten, and twenty; "fine-tuning" is 50 steps on the other digits.
DATA is as in `uno_fidelity.py`; the scoring classifier is theirs, and no model here is trained with it.
"""

from __future__ import annotations

import argparse
import copy
import time
from pathlib import Path

import _uno as uno
import lightning as L
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from lightning_unlearn.audit import audit_generator
from lightning_unlearn.demo import MNIST

DIGIT, BATCH = 1, 128


class VAE(L.LightningModule):
    """784-400-2 and back, with batch normalisation; the names of the layers are those of the published weights."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 400), nn.BatchNorm1d(400), nn.ReLU())
        self.enc_mu, self.enc_log_sigma = nn.Linear(400, 2), nn.Linear(400, 2)
        self.decoder = nn.Sequential(
            nn.Linear(2, 400), nn.BatchNorm1d(400), nn.ReLU(), nn.Linear(400, 784), nn.Sigmoid()
        )

    def terms(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Error of the reconstruction and divergence of the latents from the prior, in nats, of each image."""
        hidden = self.encoder(images.flatten(1))
        # read as log σ their layer gives an ELBO that is 5 nats lower
        mean, log_variance = self.enc_mu(hidden), self.enc_log_sigma(hidden)
        again = self.decoder(mean + (log_variance / 2).exp() * torch.randn_like(mean))
        error = nn.functional.binary_cross_entropy(again, images.flatten(1), reduction="none").sum(1)
        divergence = (log_variance.exp() + mean.square() - 1 - log_variance).sum(1) / 2
        return error, divergence


def sample(vae: VAE, count: int, generator: torch.Generator) -> Tensor:
    latents = torch.randn(count, 2, generator=generator).to(vae.device)
    return vae.decoder(latents).view(-1, 1, 28, 28)


def error(vae: VAE, batch: tuple[Tensor, Tensor]) -> Tensor:
    return vae.terms(batch[0])[0]


def elbo(vae: VAE, batch: tuple[Tensor, Tensor]) -> Tensor:
    return -sum(vae.terms(batch[0]))


def train(vae: VAE, images: Tensor, steps: int, seed: int, sign: int = 1) -> VAE:
    """Adam, as theirs; `sign` −1 ascends."""
    torch.manual_seed(seed)
    adam = torch.optim.Adam(vae.parameters(), 1e-3)
    vae.train()
    for step in range(steps):
        place = step * BATCH % (len(images) - BATCH)
        if place < BATCH:
            images = images[torch.randperm(len(images))]
        loss = sign * sum(vae.terms(images[place : place + BATCH])).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return vae.eval()


def retrained(images: Tensor, epochs: int, seed: int) -> VAE:
    torch.manual_seed(seed)
    return train(VAE(), images, epochs * len(images) // BATCH, seed)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--references", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    mnist, test = MNIST(str(options.data)), MNIST(str(options.data), train=False)
    gone = mnist.targets == DIGIT
    forget, retain = mnist.images[gone], mnist.images[~gone]
    original = VAE().eval()
    original.load_state_dict(
        torch.load(options.data / "uno_mnist_vae" / "vae_200.state_dict.pt", weights_only=True)
    )
    references = [retrained(retain, options.epochs, seed) for seed in range(1, options.references + 1)]
    candidates = {
        "nothing": original,
        "ascent, 4 steps": train(copy.deepcopy(original), forget, 4, 0, sign=-1),
        "ascent, 20 steps": train(copy.deepcopy(original), forget, 20, 0, sign=-1),
        "fine-tuning, 50 steps": train(copy.deepcopy(original), retain, 50, 0),
        "retrained": retrained(retain, options.epochs, 0),
    }
    classifier = uno.classifier(options.data)
    data = {
        "forget": TensorDataset(forget, mnist.targets[gone]),
        "retain": TensorDataset(retain, mnist.targets[~gone]),
        "test": test,
    }
    for known in (references, []):
        print(f"\n{len(known)} references:\n")
        print(
            "| model | verdict | ones | with 4 bits | Fréchet distance | precision | ELBO forget | ELBO retain | seconds |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        reasons = []
        for name, candidate in candidates.items():
            start = time.perf_counter()
            report = audit_generator(
                VAE(),
                data,
                original=original,
                unlearned=candidate,
                references=known,
                sample=sample,
                classifier=classifier,
                classifier_name="uno-mnist-classifier",
                forget_class=DIGIT,
                feature_extractor=classifier[:-1],
                extractor_name="uno-mnist-classifier-200",
                losses={"reconstruction error": error},
                likelihoods={"ELBO": elbo},
                output=None
                if options.output is None
                else options.output / f"{name}, {len(known)} references",
            )
            print(row(name, report, "unlearned", time.perf_counter() - start), flush=True)
            reasons.append(f"{name}: {report.verdict.name}. {report.verdict.reasons[0]}")
        for reference in [m.name for m in report.models if m.role == "reference"]:
            print(row(reference, report, reference))
        print("\n" + "\n".join(reasons))
        print(next(limit for limit in report.verdict.cannot_know if "no perfect judge" in limit))


def row(name, report, model, seconds=None):
    found = {
        (r.name.partition("[")[0] + r.name.partition("]")[2], r.side): r.values[model].value
        for r in report.metrics
    }
    cells = [
        name,
        report.verdict.name if model == "unlearned" else "",
        f"{found['ClassFraction', 'forget']:.2%}",
        f"{found['ClassFraction with 4 bits', 'forget']:.2%}",
        f"{found['FrechetDistance', 'retain']:.1f}",
        f"{found['GeneratorPrecision', 'retain']:.3f}",
        f"{found['SideELBO', 'forget']:.1f}",
        f"{found['SideELBO', 'retain']:.1f}",
        "" if seconds is None else f"{seconds:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
