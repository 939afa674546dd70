"""What a step of each strategy costs, beside two plain passes inside `Trainer.fit`.

    python examples/benchmarks/strategy_cost.py [--repetitions 20] [--clock cpu] [--only NAME ...] [--json FILE]

The ResNet of `step_overhead.py`. All rows run in one process, in random order, many times; the table shows the minimum
and the median of the time of a step, and ratios of them to those of the two passes. Where a strategy does different work
from step to step, a time is the mean over one whole cycle of its steps, and so is that of the two passes beside it.

On a machine that others use too, `--clock cpu` counts the seconds that the processor worked for this process, which is one
thread, instead of those that passed.

The network has ReLU, for which central differences warn that they are off: the cost is the same, and warnings are off here.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from _models import Plain, TwoPasses, resnet
from rich.console import Console
from rich.progress import track
from rich.table import Table
from step_overhead import batches, fit, sides

import lightning_unlearn as lu


@dataclass(frozen=True)
class Row:
    """A strategy.

    Attributes:
        make: a fresh one; `None` for the two passes themselves.
        goal: the ratio that we aim at, for the minimum.
        cycle: number of steps after which its work repeats.
        sides: what it is fitted on.
    """

    make: Callable[[], L.Callback] | None
    goal: float | None = None
    cycle: int = 1
    sides: tuple[str, ...] = ("retain", "forget")


def aggregated() -> L.Callback:
    from torchjd.aggregation import AlignedMTL

    return lu.TorchJDStrategy(AlignedMTL())


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
FLOOR = "two passes"
DIFFERENCES: dict[str, Any] = {"second_order": "finite_difference"}
ROWS = {
    FLOOR: Row(None),
    "FineTune": Row(lu.FineTune),
    "GradientAscent": Row(lu.GradientAscent, sides=("forget",)),
    "GradientDifference": Row(lu.GradientDifference),
    "GradientSurgery": Row(lu.GradientSurgery, goal=1.05),
    "RetainSurgery": Row(lu.RetainSurgery),
    "PCGrad": Row(lu.PCGrad),
    "MGDA": Row(lu.MGDA),
    "CAGrad": Row(lu.CAGrad),
    "NormalisedDifference": Row(lu.NormalisedDifference),
    "TorchJDStrategy, AlignedMTL": Row(aggregated),
    "LUR, first order": Row(lambda: lu.LUR(first_order=True)),
    "LUR, central differences": Row(lambda: lu.LUR(**DIFFERENCES), goal=2.1),
    "LUR, double backward": Row(lu.LUR, goal=3.6),
    "UNO, central differences": Row(lambda: lu.UNO(**DIFFERENCES), goal=3.2),
    "UNO, double backward": Row(lu.UNO, goal=5.8),
    "UNOS": Row(lu.UNOS, cycle=2),
    "SFRon, 5 retain steps": Row(lambda: lu.SFRon(retain_steps=5), goal=0.75, cycle=6),
    "PGU": Row(lu.PGU, goal=0.65),
}


def seconds(row: Row, data: list[dict[str, Any]], clock: Callable[[], float]) -> list[float]:
    """Of the steps of one fit, after a warm-up."""
    if row.make is None:
        return fit(TwoPasses(resnet()), sides(data), clock=clock)
    loaders = sides(data)
    return fit(Plain(resnet()), {side: loaders[side] for side in row.sides}, row.make(), clock=clock)


def per_cycle(runs: list[list[float]], cycle: int) -> list[float]:
    """Mean time of a step in every whole cycle; any so many steps in a row are one."""
    return [
        statistics.mean(run[i : i + cycle])
        for run in runs
        for i in range(0, len(run) - cycle + 1, cycle)
    ]  # fmt: skip


def measure(
    rows: dict[str, Row], repetitions: int, steps: int, clock: Callable[[], float]
) -> dict[str, dict[str, float]]:
    runs: dict[str, list[list[float]]] = {name: [] for name in rows}
    order = [name for name in rows for _ in range(repetitions)]
    random.shuffle(order)
    data = batches((3, 32, 32), 32, max(steps, *(3 + row.cycle for row in rows.values())))
    for name in track(order, description="steps", transient=True):
        runs[name].append(seconds(rows[name], data, clock))
    result = {}
    for name, row in rows.items():
        own, floor = per_cycle(runs[name], row.cycle), per_cycle(runs[FLOOR], row.cycle)
        result[name] = {
            "times": len(own),
            "minimum_ms": 1e3 * min(own),
            "median_ms": 1e3 * statistics.median(own),
            "minimum_ratio": min(own) / min(floor),
            "median_ratio": statistics.median(own) / statistics.median(floor),
        }
    return result


def table(rows: dict[str, Row], result: dict[str, dict[str, float]]) -> Table:
    made = Table("Trainer.fit", title="ResNet 0.2 M, 32+32")
    for column in ("min ms", "median ms", "min / two passes", "median / two passes", "goal"):
        made.add_column(column, justify="right")
    for name, found in result.items():
        goal = rows[name].goal
        made.add_row(
            name,
            *(f"{found[key]:.2f}" for key in ("minimum_ms", "median_ms")),
            *(f"{found[key]:.3f}" for key in ("minimum_ratio", "median_ratio")),
            "" if goal is None else f"{goal:.2f}",
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument(
        "--steps", type=int, default=15, help="of a fit, the first three of which are a warm-up"
    )
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), metavar="NAME")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    rows = {name: row for name, row in ROWS.items() if name in (FLOOR, *arguments.only)}
    result = measure(rows, arguments.repetitions, arguments.steps, CLOCKS[arguments.clock])
    Console(width=None if sys.stdout.isatty() else 110).print(table(rows, result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
