"""Forgetting a digit without retain data: `PGU` beside the same objective without the projection, at equal steps.

    python examples/benchmarks/pgu_digits.py [--seeds 3] [--digit 3] [--positions 4]

scikit-learn's digits, the classifier of the demo. The runs see the samples of the digit alone, 30 steps of 64; accuracies
are those of the whole forget set, of the whole retain set, and of the other digits of the test set, in percent.
"""

from __future__ import annotations

import argparse
import copy
import logging
import statistics
import tempfile
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from lightning_unlearn import PGU, Confusion, GradientAscent, InputCovariance
from lightning_unlearn.demo import DigitClassifier, Digits

RATES = (0.001, 0.003, 0.01, 0.03)
STEPS = 30
QUIET = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


def right(module: Any, images: Tensor, targets: Tensor) -> float:
    with torch.no_grad():
        return 100 * float((module.eval()(images).argmax(1) == targets).float().mean())


def strategies(path: str) -> dict[str, Any]:
    plain = {"no projection": lambda: GradientAscent(objective=Confusion(), batch_norm="eval")}
    projected = {f"PGU, threshold {t:g}": lambda t=t: PGU(path, t) for t in (0.95, 0.9)}
    return plain | projected


def measure(digit: int, seed: int, positions: int | None) -> dict[tuple[str, float], tuple[float, ...]]:
    train, test = Digits(train=True), Digits(train=False)
    forgotten = train.targets == digit
    others = test.targets != digit
    L.seed_everything(seed, verbose=False)
    original = DigitClassifier()
    trainer = L.Trainer(max_epochs=5, callbacks=[InputCovariance(positions=positions)], **QUIET)
    trainer.fit(original, DataLoader(train, 32, shuffle=True))
    found = {}
    sets = [(train.images[forgotten], train.targets[forgotten])]
    sets += [
        (train.images[~forgotten], train.targets[~forgotten]),
        (test.images[others], test.targets[others]),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "trained.ckpt"))
        trainer.save_checkpoint(path)
        found["original", 0.0] = tuple(right(original, *data) for data in sets)
        for name, make in strategies(path).items():
            for rate in RATES:
                module = copy.deepcopy(original)
                module.lr = rate
                stream = torch.Generator().manual_seed(seed)
                indices = forgotten.nonzero().flatten().tolist()
                loader = DataLoader(Subset(train, indices), 64, shuffle=True, generator=stream)
                run = L.Trainer(max_steps=STEPS, max_epochs=-1, callbacks=[make()], **QUIET)
                run.fit(module, {"forget": loader})
                found[name, rate] = tuple(right(module, *data) for data in sets)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--digit", type=int, default=3)
    parser.add_argument("--positions", type=int)
    arguments = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    runs = [measure(arguments.digit, seed, arguments.positions) for seed in range(arguments.seeds)]
    table = Table(title=f"digit {arguments.digit}, mean of {arguments.seeds} seeds")
    for column in ("", "learning rate", "forget", "retain", "test, other digits"):
        table.add_column(column, justify="left" if column == "" else "right")
    for name, rate in runs[0]:
        means = [statistics.mean(values) for values in zip(*(run[name, rate] for run in runs), strict=True)]
        table.add_row(name, f"{rate:g}", *(f"{mean:.1f}" for mean in means))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
