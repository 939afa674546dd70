"""What the demonstration forgets: the sets of one deletion request, and the settings it is answered with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import Subset

from lightning_unlearn import UnlearningDataModule
from lightning_unlearn.demo._data import Digits
from lightning_unlearn.demo._mnist import MNIST, FashionMNIST
from lightning_unlearn.errors import ConfigurationError


@dataclass(frozen=True)
class Recipe:
    """How the models are made.

    Attributes:
        epochs: of the original training and of retraining.
        batch_size: there.
        unlearning_steps: at most this many optimiser steps.
        unlearning_batch_sizes: of the retain and of the forget side.
        unlearning_lr: step size of the module's own optimiser while unlearning.
        every_n_steps: between two evaluations by the monitor.
        strategy: arguments for whichever strategy knows them.
        retain_floor: of the monitor.
        retain_goal: of the monitor.
        max_samples: of the monitor.
        threads: of torch; on tiny images more than one gains nothing, and loses a lot when the cores are busy.
    """

    epochs: int
    batch_size: int
    unlearning_steps: int
    unlearning_batch_sizes: tuple[int, int]
    unlearning_lr: float
    every_n_steps: int
    strategy: Mapping[str, Any]
    retain_floor: float = 0.9
    retain_goal: float = 0.0
    max_samples: int = 400
    threads: int | None = None


@dataclass(frozen=True)
class Task:
    """One deletion request.

    Attributes:
        name: in words, for titles.
        train: the training set.
        test: the test set, without the forgotten class.
        unseen: test samples of the kind that is forgotten, for the membership-inference attack.
        forget: indices of the forget set in `train`.
        retain: the other indices.
        forgotten_class: or `None` for random samples.
        recipe: how the models are made.
    """

    name: str
    train: Any
    test: Subset[Any]
    unseen: Subset[Any]
    forget: Tensor
    retain: Tensor
    forgotten_class: int | None
    recipe: Recipe

    def datamodule(self, seed: int) -> UnlearningDataModule:
        """The two sides, for a Trainer."""
        retain, forget = self.recipe.unlearning_batch_sizes
        return UnlearningDataModule(
            self.train, self.forget, test=self.test, batch_size=retain, forget_batch_size=forget, seed=seed
        )


def make_task(
    data: Literal["digits", "mnist", "fashion_mnist"] = "digits",
    data_dir: Path | None = None,
    forget_class: int = 3,
    forget_fraction: float | None = None,
    seed: int = 0,
) -> Task:
    """Load the data and split it.

    Args:
        data: `"digits"`, `"mnist"` or `"fashion_mnist"`.
        data_dir: folder with the idx files of the latter two.
        forget_class: the class to be forgotten, 0 to 9, unless a fraction is given.
        forget_fraction: share of random training samples to be forgotten, in (0, 1).
        seed: of the random choice.

    Raises:
        ConfigurationError: the data are not there, or an argument is out of range.
    """
    source = _FROM_FILES.get(data)
    if source is not None and data_dir is None:
        raise ConfigurationError(
            f"`--data-dir` must name the folder with the idx files of {source.name}, found none. Pass `--data-dir DIR`."
        )
    if forget_class not in range(10):
        raise ConfigurationError(f"`--forget-class` must be a digit, 0 to 9, found {forget_class}.")
    root = data_dir or Path()
    train, test = (Digits(part) if source is None else source(root, part) for part in (True, False))
    by_class = forget_fraction is None
    split = UnlearningDataModule(
        train, forget_class=forget_class if by_class else None, forget_fraction=forget_fraction, seed=seed
    )
    forget = split.forget_indices
    assert forget is not None
    is_retained = torch.ones(len(train), dtype=torch.bool)
    is_retained[forget] = False
    forgotten = test.targets == forget_class if by_class else torch.ones(len(test), dtype=torch.bool)
    kept = ~forgotten if by_class else forgotten
    return Task(
        name=f"Forgetting the {train.noun} {forget_class}"
        if by_class
        else f"Forgetting {len(forget)} random {train.noun}s",
        train=train,
        test=Subset(test, kept.nonzero().flatten().tolist()),
        unseen=Subset(test, forgotten.nonzero().flatten().tolist()),
        forget=forget,
        retain=is_retained.nonzero().flatten(),
        forgotten_class=forget_class if by_class else None,
        recipe=_RECIPES[data, by_class],
    )


_FROM_FILES = {"mnist": MNIST, "fashion_mnist": FashionMNIST}

# Found on other requests than the reported ones (docs/results.md): the digit 7, and other random samples.
_CLASS = {
    "alpha": 0.03,
    "objective": {"class_path": "lightning_unlearn.Bounded", "init_args": {"offset": 0.01}},
    "batch_norm": "eval",
}
_RANDOM = {"alpha": 0.03, "objective": {"class_path": "lightning_unlearn.Uniform"}, "batch_norm": "eval"}
_RECIPES = {
    ("digits", True): Recipe(
        40, 32, 60, (128, 32), 0.01, 6, _CLASS, retain_floor=0.5, retain_goal=0.998, threads=1
    ),
    ("digits", False): Recipe(40, 32, 30, (64, 64), 0.001, 6, _RANDOM, threads=1),
    ("mnist", True): Recipe(3, 128, 100, (128, 32), 0.01, 50, _CLASS, retain_floor=0.5, retain_goal=0.99),
    ("mnist", False): Recipe(3, 128, 100, (64, 64), 0.001, 25, _RANDOM),
    ("fashion_mnist", True): Recipe(
        3, 128, 100, (128, 32), 0.01, 50, _CLASS, retain_floor=0.5, retain_goal=0.99
    ),
    ("fashion_mnist", False): Recipe(3, 128, 100, (64, 64), 0.001, 25, _RANDOM),
}
