"""What a step of `GradientSurgery` costs on two processes, beside a loop by hand that makes the same two passes.

    python examples/benchmarks/ddp_overhead.py [--repetitions 20] [--json FILE]

Two gloo processes on this machine, DistributedDataParallel in every variant. All variants run in the same processes, in
random order, many times; the table shows the minimum and the median of the time of a step on the first process, and
their ratios to the floor: two forward and backward passes with their averaging, and the optimiser's step.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import socket
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
import torch.distributed as dist
from _models import Plain
from lightning.pytorch.strategies import DDPStrategy
from rich.console import Console
from rich.table import Table
from step_overhead import CASES, Batch, StepTimes, batches, sides
from torch import nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from lightning_unlearn import GradientSurgery

FLOOR, OURS = "DDP by hand: two passes (floor)", "Trainer.fit: GradientSurgery"


def fit(module: L.LightningModule, data: Any, *callbacks: L.Callback) -> list[float]:
    times = StepTimes()
    trainer = L.Trainer(
        accelerator="cpu",
        devices=2,
        strategy=DDPStrategy(),
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[*callbacks, times],
    )
    trainer.fit(module, train_dataloaders=data)
    return times.seconds


def by_hand(net: nn.Module, data: list[dict[str, Batch]], names: tuple[str, ...]) -> list[float]:
    model = DistributedDataParallel(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9)
    ends = []
    for pair in data:
        gradients = []
        for name in names:
            optimizer.zero_grad()
            F.cross_entropy(model(pair[name][0]), pair[name][1]).backward()
            gradients.append([p.grad for p in net.parameters()])
        optimizer.step()
        ends.append(time.perf_counter())
    return [b - a for a, b in zip(ends[2:], ends[3:], strict=False)]


VARIANTS: dict[str, Callable[[nn.Module, list[dict[str, Batch]]], list[float]]] = {
    "DDP by hand: retain pass": lambda net, data: by_hand(net, data, ("retain",)),
    FLOOR: lambda net, data: by_hand(net, data, ("retain", "forget")),
    "Trainer.fit: retain pass": lambda net, data: fit(Plain(net), sides(data)["retain"]),
    OURS: lambda net, data: fit(Plain(net), sides(data), GradientSurgery()),
}


def measure(case: str, repetitions: int, steps: int) -> dict[str, Any]:
    make, shape, size = CASES[case]
    seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
    runs = [name for name in VARIANTS for _ in range(repetitions)]
    random.Random(0).shuffle(runs)  # the same order in both processes
    torch.manual_seed(dist.get_rank())
    data = batches(shape, size, steps)
    for name in runs:
        dist.barrier()
        seconds[name] += VARIANTS[name](make(), data)
    low = {name: 1e3 * min(values) for name, values in seconds.items()}
    middle = {name: 1e3 * statistics.median(values) for name, values in seconds.items()}
    return {
        "case": case,
        "processes": dist.get_world_size(),
        "steps": {name: len(values) for name, values in seconds.items()},
        "minimum_ms": low,
        "median_ms": middle,
        "overhead_minimum": low[OURS] / low[FLOOR],
        "overhead_median": middle[OURS] / middle[FLOOR],
    }


def table(result: dict[str, Any]) -> Table:
    made = Table(title=f"{result['case']} samples on each of {result['processes']} processes")
    for column in ("variant", "min ms", "median ms", "min / floor", "median / floor"):
        made.add_column(column, justify="left" if column == "variant" else "right")
    low, middle = result["minimum_ms"], result["median_ms"]
    for name in VARIANTS:
        made.add_row(
            name,
            f"{low[name]:.2f}",
            f"{middle[name]:.2f}",
            f"{low[name] / low[FLOOR]:.3f}",
            f"{middle[name] / middle[FLOOR]:.3f}",
        )
    return made


def work(rank: int, port: int, arguments: argparse.Namespace) -> None:
    """One process."""
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "NODE_RANK": "0",
        "LOCAL_RANK": str(rank),
    }
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    results = [measure(case, arguments.repetitions, arguments.steps) for case in CASES]
    if rank == 0:
        console = Console()
        for result in results:
            console.print(table(result))
        if arguments.json:
            arguments.json.write_text(json.dumps(results, indent=1))
    dist.barrier()
    dist.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(work, (port, arguments), nprocs=2)


if __name__ == "__main__":
    main()
