"""What it costs to measure the input covariances for `PGU`, in forward passes over the same data.

    python examples/benchmarks/pgu_precompute.py [--repetitions 20] [--batch 128]

The ResNet of `step_overhead.py`, one thread. A forward pass over a batch, in evaluation mode and without gradients, by
itself and with the measurement; in random order in one process; minimum and median. The decompositions are made once,
whatever the number of samples, and are timed apart.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time

import torch
from _models import resnet
from rich.console import Console
from rich.table import Table

from lightning_unlearn.subspaces import InputProducts, Projector


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--batch", type=int, default=128)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    net, images = resnet().eval(), torch.randn(arguments.batch, 3, 32, 32)
    kinds = {"forward pass": 0, "with positions=4": 4, "with positions=16": 16, "with positions=None": None}
    products = {name: InputProducts(net, p) for name, p in kinds.items() if p != 0}

    def once(name: str) -> float:
        begin = time.perf_counter()
        with torch.no_grad():
            if name not in products:
                net(images)
            else:
                with products[name]:
                    net(images)
        return time.perf_counter() - begin

    order = [name for name in kinds for _ in range(arguments.repetitions)]
    random.Random(0).shuffle(order)
    for name in kinds:
        once(name)
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for name in order:
        seconds[name].append(once(name))
    table = Table(title=f"ResNet, {arguments.batch} images a batch, one thread")
    for column in ("", "min ms", "median ms", "min / forward", "median / forward"):
        table.add_column(column, justify="left" if column == "" else "right")
    base = seconds["forward pass"]
    for name, values in seconds.items():
        low, middle = min(values), statistics.median(values)
        ratios = low / min(base), middle / statistics.median(base)
        table.add_row(name, f"{1e3 * low:.1f}", f"{1e3 * middle:.1f}", *(f"{ratio:.2f}" for ratio in ratios))
    console = Console(width=100)
    console.print(table)
    begin = time.perf_counter()
    for block in products["with positions=None"].sums.values():
        Projector.of(block, 0.95, "singular_values")
    console.print(f"decompositions, once: {time.perf_counter() - begin:.2f} s")


if __name__ == "__main__":
    main()
