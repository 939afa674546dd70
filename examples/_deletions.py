"""A chain of deletion requests: each is answered with the model that the one before has left."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import lightning as L
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Subset, TensorDataset

from lightning_unlearn import InputCovariance, UnlearningDataModule, UnlearningStrategy
from lightning_unlearn.demo import DigitClassifier
from lightning_unlearn.metrics.functional import logit_gap, membership_auc

QUIET = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
SHOWN = 2_000  # samples of each kind that are looked at after each request


@dataclass(frozen=True)
class Settings:
    """How models are trained, and how a request is answered.

    Attributes:
        samples: of each request.
        epochs: of training and retraining, in batches of `batch_size`.
        batch_size: there.
        steps: for each request, with `samples` forgotten and `retain_batch_size` retained samples.
        retain_batch_size: there.
        lr: step size there.
        alpha: weight of the forget side.
    """

    samples: int
    epochs: int
    batch_size: int
    steps: int
    retain_batch_size: int
    lr: float
    alpha: float


class Requests:
    """Which training samples go in which request, drawn at random by `seed`, and what is left after each.

    Args:
        train: data with `images` and `targets`.
        test: likewise; one half says how well unseen data are known, the other is what is reported.
        count: of requests.
        samples: of each.
        seed: of the draw.
    """

    def __init__(self, train, test, count: int, samples: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randperm(len(train.targets), generator=generator)[: count * samples]
        self.train = TensorDataset(train.images, train.targets)
        self.forgotten = drawn.view(count, samples)
        half = torch.randperm(len(test.targets), generator=generator).chunk(2)
        self.held_out, self.test = ((test.images[part], test.targets[part]) for part in half)

    def samples(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        images, targets = self.train.tensors
        return images[indices], targets[indices]

    def left_after(self, requests: int) -> Tensor:
        """Indices of what was not deleted by the first so many requests."""
        is_left = torch.ones(len(self.train), dtype=torch.bool)
        is_left[self.forgotten[:requests].flatten()] = False
        return is_left.nonzero().flatten()


@torch.no_grad()
def logits_of(module: DigitClassifier, images: Tensor) -> Tensor:
    module.eval()
    return torch.cat([module(part) for part in images.split(1_000)])


def accuracy(module: DigitClassifier, samples: tuple[Tensor, Tensor]) -> float:
    return (logits_of(module, samples[0]).argmax(1) == samples[1]).float().mean().item()


def loss(module: DigitClassifier, samples: tuple[Tensor, Tensor]) -> float:
    return cross_entropy(logits_of(module, samples[0]), samples[1]).item()


def train(
    requests: Requests,
    indices: Tensor,
    settings: Settings,
    seed: int,
    checkpoint: Path | None = None,
    covariances: bool = False,
) -> tuple[DigitClassifier, float]:
    """A model trained from scratch on some of the samples, and the seconds that it took."""
    L.seed_everything(seed, verbose=False)
    module = DigitClassifier(decay=True)
    measured = [InputCovariance(positions=4)] if covariances else []  # for `PGU`
    trainer = L.Trainer(max_epochs=settings.epochs, callbacks=measured, **QUIET)
    loader = DataLoader(Subset(requests.train, indices.tolist()), settings.batch_size, shuffle=True)
    start = time.process_time()
    trainer.fit(module, loader)
    seconds = time.process_time() - start
    if checkpoint is not None:
        trainer.save_checkpoint(checkpoint)
    return module, seconds


def answer(
    original: DigitClassifier,
    requests: Requests,
    settings: Settings,
    make: Callable[[Path], UnlearningStrategy],
    checkpoint: Path,
    seed: int,
) -> Iterator[tuple[DigitClassifier, float]]:
    """The model after each request, and the seconds that this one took.

    Args:
        original: stays as it is.
        requests: one after another.
        settings: of the runs.
        make: a new strategy, given the checkpoint of the model it starts from.
        checkpoint: of the original, for strategies that read one.
        seed: of the order of samples.
    """
    module = copy.deepcopy(original)
    module.lr = settings.lr
    for number, indices in enumerate(requests.forgotten, 1):
        L.seed_everything(1_000 * seed + number, verbose=False)
        sides = UnlearningDataModule(
            Subset(requests.train, requests.left_after(number).tolist()),
            forget=Subset(requests.train, indices.tolist()),
            batch_size=settings.retain_batch_size,
            forget_batch_size=len(indices),
            seed=1_000 * seed + number,
        )
        trainer = L.Trainer(max_steps=settings.steps, max_epochs=-1, callbacks=[make(checkpoint)], **QUIET)
        start = time.process_time()
        trainer.fit(module.train(), datamodule=sides)
        seconds = time.process_time() - start
        checkpoint = checkpoint.with_name("so-far.ckpt")
        trainer.save_checkpoint(checkpoint)
        yield module, seconds


def after_each(module: DigitClassifier, requests: Requests, number: int) -> dict[str, float]:
    """Accuracies on what is left, on unseen data, on this request and on all that was deleted so far."""
    return {
        "retain": accuracy(module, requests.samples(requests.left_after(number)[:SHOWN])),
        "test": accuracy(module, tuple(part[:SHOWN] for part in requests.test)),
        "deleted so far": accuracy(module, requests.samples(requests.forgotten[:number].flatten())),
    }


def at_the_end(module: DigitClassifier, requests: Requests) -> dict[str, float]:
    """Accuracies on everything; accuracy, loss and membership of what was deleted, in all and by the first quarter of requests.

    Membership is the probability that a deleted sample looks more familiar than an unseen one: one half is chance.
    """
    retained = requests.samples(requests.left_after(len(requests.forgotten)))
    row = {"retain": accuracy(module, retained), "test": accuracy(module, requests.test)}
    unread = logits_of(module, requests.test[0]).nan_to_num()  # ascent may overflow
    unseen = logit_gap(unread, requests.test[1])
    first = max(1, len(requests.forgotten) // 4)
    for name, chosen in (("first", requests.forgotten[:first]), ("all", requests.forgotten)):
        images, labels = requests.samples(chosen.flatten())
        logits = logits_of(module, images)
        row[f"{name}: right"] = (logits.argmax(1) == labels).float().mean().item()
        row[f"{name}: loss"] = cross_entropy(logits, labels).item()
        row[f"{name}: membership"] = membership_auc(logit_gap(logits.nan_to_num(), labels), unseen).item()
    return row
