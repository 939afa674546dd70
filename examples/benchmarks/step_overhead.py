"""What a step of `GradientSurgery` costs, beside the same two passes without it.

    python examples/benchmarks/step_overhead.py [--repetitions 20] [--json FILE]

All variants run in one process, in random order, many times; the table shows the minimum and the median of the
time of a step, and ratios of them. The ratio that matters has `Trainer.fit` on both sides.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
from _memory import Allocated
from _models import Plain, TwoPasses, mlp, resnet
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from lightning_unlearn import GradientSurgery

CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    "ResNet 0.2 M, 32+32": (resnet, (3, 32, 32), 32),
    "MLP 2 M, 128+128": (mlp, (784,), 128),
}
Batch = tuple[Tensor, Tensor]


class StepTimes(L.Callback):
    """Seconds from the end of one step to the end of the next; the first three are warm-up."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.ends.append(self.clock())

    @property
    def seconds(self) -> list[float]:
        return [b - a for a, b in zip(self.ends[2:], self.ends[3:], strict=False)]


def batches(shape: tuple[int, ...], size: int, steps: int) -> list[dict[str, Batch]]:
    def batch() -> Batch:
        return torch.randn(size, *shape), torch.randint(10, (size,))

    return [{"retain": batch(), "forget": batch()} for _ in range(steps)]


def fit(
    module: L.LightningModule,
    data: Any,
    *callbacks: L.Callback,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    times = StepTimes(clock)
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[*callbacks, times],
    )
    trainer.fit(module, train_dataloaders=data)
    return times.seconds


def sides(data: list[dict[str, Batch]]) -> dict[str, DataLoader[Batch]]:
    return {side: DataLoader([pair[side] for pair in data], batch_size=None) for side in ("retain", "forget")}


def bare(net: nn.Module, data: list[dict[str, Batch]], names: tuple[str, ...]) -> list[float]:
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9)
    ends = []
    for pair in data:
        optimizer.zero_grad()
        for name in names:
            F.cross_entropy(net(pair[name][0]), pair[name][1]).backward()
        optimizer.step()
        ends.append(time.perf_counter())
    return [b - a for a, b in zip(ends[2:], ends[3:], strict=False)]


VARIANTS: dict[str, Callable[[nn.Module, list[dict[str, Batch]]], list[float]]] = {
    "bare loop: retain pass": lambda net, data: bare(net, data, ("retain",)),
    "bare loop: two passes (floor)": lambda net, data: bare(net, data, ("retain", "forget")),
    "Trainer.fit: retain pass": lambda net, data: fit(Plain(net), sides(data)["retain"]),
    "Trainer.fit: two passes": lambda net, data: fit(TwoPasses(net), sides(data)),
    "Trainer.fit: GradientSurgery": lambda net, data: fit(Plain(net), sides(data), GradientSurgery()),
}


def measure(case: str, repetitions: int, steps: int) -> dict[str, Any]:
    make, shape, size = CASES[case]
    seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
    runs = [name for name in VARIANTS for _ in range(repetitions)]
    random.shuffle(runs)
    data = batches(shape, size, steps)
    for name in track(runs, description=case, transient=True):
        seconds[name] += VARIANTS[name](make(), data)
    peaks = {}
    for name, run in VARIANTS.items():
        net = make()
        with Allocated() as allocated:
            run(net, data[:3])
        peaks[name] = allocated.peak
    parameters = sum(p.numel() for p in make().parameters())
    return {
        "case": case,
        "parameters": parameters,
        "gradient_bytes": 4 * parameters,
        "steps": {name: len(values) for name, values in seconds.items()},
        "minimum_ms": {name: 1e3 * min(values) for name, values in seconds.items()},
        "median_ms": {name: 1e3 * statistics.median(values) for name, values in seconds.items()},
        "peak_bytes": peaks,
    }


def table(result: dict[str, Any]) -> Table:
    made = Table(title=f"{result['case']} ({result['parameters']:,} parameters)")
    columns = (
        "variant",
        "min ms",
        "median ms",
        "min / Trainer two",
        "median / Trainer two",
        "min / bare two",
        "peak MB",
    )
    for column in columns:
        made.add_column(column, justify="left" if column == "variant" else "right")
    low, middle = result["minimum_ms"], result["median_ms"]
    for name in VARIANTS:
        made.add_row(
            name,
            f"{low[name]:.2f}",
            f"{middle[name]:.2f}",
            f"{low[name] / low['Trainer.fit: two passes']:.3f}",
            f"{middle[name] / middle['Trainer.fit: two passes']:.3f}",
            f"{low[name] / low['bare loop: two passes (floor)']:.3f}",
            f"{result['peak_bytes'][name] / 1e6:.1f}",
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(arguments.threads)
    console = Console()
    results = []
    for case in CASES:
        result = measure(case, arguments.repetitions, arguments.steps)
        results.append(result)
        console.print(table(result))
        extra = (
            result["peak_bytes"]["Trainer.fit: GradientSurgery"]
            - result["peak_bytes"]["Trainer.fit: two passes"]
        )
        console.print(f"extra memory: {extra / result['gradient_bytes']:.2f} gradient copies\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
