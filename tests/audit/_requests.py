"""Requests on the digits, with everything an audit needs, trained within seconds."""

import importlib.util
from pathlib import Path
from typing import NamedTuple

import torch
from torch.utils.data import Subset

from lightning_unlearn.demo import Digits, impostors

_PATH = Path(__file__).parents[2] / "examples" / "benchmarks" / "_pool.py"
_SPEC = importlib.util.spec_from_file_location("audit_pool", _PATH)
pool = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(pool)
Perceptron = pool.Perceptron


class Request(NamedTuple):
    """One request: data by side, weights, and both sides as tensors."""

    data: dict
    original: dict
    references: list
    retrained: dict
    sides: impostors.Sides

    def impostor(self, name):
        model = Perceptron()
        model.load_state_dict(self.original)
        return getattr(impostors, name)(model, self.sides)


def make(forget):
    """`forget` says which samples of the digits are to be forgotten, given their labels."""
    train, test = Digits(train=True), Digits(train=False)
    chosen = forget(train.targets)
    rows = torch.arange(len(train))
    *references, retrained = pool.train(rows[~chosen].expand(6, -1), seed=51)
    return Request(
        {
            "forget": Subset(train, rows[chosen].tolist()),
            "retain": Subset(train, rows[~chosen].tolist()),
            "test": test,
        },
        pool.train(rows.expand(1, -1), seed=1)[0],
        references,
        retrained,
        impostors.Sides(
            (train.images[chosen], train.targets[chosen]), (train.images[~chosen], train.targets[~chosen]), 1
        ),
    )
