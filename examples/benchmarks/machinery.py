"""Milliseconds a step that the machinery takes on a model so small that nothing else does.

    python examples/benchmarks/machinery.py [--repetitions 20] [--json FILE]

`Trainer.fit` with `GradientSurgery` beside `Trainer.fit` on a module that makes the same two passes itself; both without
`self.log`. Random order, one process; minimum and median of a step's time. The third variant logs one number: what the
forget side logs is forwarded, which costs as much as any `self.log`.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import statistics
import warnings
from pathlib import Path
from typing import Any

import torch
from _models import Plain, TwoPasses
from rich.console import Console
from rich.progress import track
from rich.table import Table
from step_overhead import batches, fit, sides
from torch import nn

from lightning_unlearn import GradientSurgery


def tiny() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 10))


class Silent(Plain):
    """Logs nothing."""

    def log(self, *_: Any, **__: Any) -> None: ...


class SilentTwoPasses(TwoPasses):
    """Logs nothing."""

    def log(self, *_: Any, **__: Any) -> None: ...


VARIANTS = {
    "two passes": lambda data: fit(SilentTwoPasses(tiny()), sides(data)),
    "GradientSurgery": lambda data: fit(Silent(tiny()), sides(data), GradientSurgery()),
    "GradientSurgery, one number logged": lambda data: fit(Plain(tiny()), sides(data), GradientSurgery()),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    data = batches((16,), 8, arguments.steps)
    runs = [name for name in VARIANTS for _ in range(arguments.repetitions)]
    random.shuffle(runs)
    seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for name in track(runs, description="machinery", transient=True):
        seconds[name] += VARIANTS[name](data)
    floor = {f.__name__: f(seconds["two passes"]) for f in (min, statistics.median)}
    table = Table("Trainer.fit", "minimum ms", "median ms", "over two passes: minimum ms", "median ms")
    rows = {}
    for name, times in seconds.items():
        low, middle = min(times), statistics.median(times)
        rows[name] = [1e3 * x for x in (low, middle, low - floor["min"], middle - floor["median"])]
        table.add_row(name, *(f"{x:.3f}" for x in rows[name]))
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
