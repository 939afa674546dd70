"""The demonstration over several seeds and strategies: the tables of docs/results.md.

    python examples/benchmarks/demo_seeds.py --seeds 0 1 2 3 4 5 [--strategies GradientSurgery FineTune ...]
        [--forget-fraction 0.1] [--data mnist --data-dir DIR] [--json FILE]

What is not one of its own arguments goes to `lightning-unlearn demo`. The models of a seed are trained once.
"""

from __future__ import annotations

import argparse
import json
import logging
import warnings
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from lightning_unlearn.cli import parse_demo
from lightning_unlearn.demo import Models, described, train_models, unlearn
from lightning_unlearn.demo._report import Row

HEADER = (
    "seed",
    "model",
    "forget",
    "retain",
    "test",
    "MIA",
    "forget loss",
    "seconds",
    "speed-up",
    "steps",
    "stopped",
)


def line(seed: int, name: str, row: Row, steps: int | str = "", stopped: str | None = "") -> str:
    shares = (row.forget_accuracy, row.retain_accuracy, row.test_accuracy, row.mia_accuracy)
    cells = [str(seed), name, *(f"{100 * share:.1f} %" for share in shares if share is not None)]
    speedup = "" if row.speedup is None else f"{row.speedup:.1f}"
    cells += [f"{row.forget_loss:.3f}", f"{row.seconds:.1f}", speedup, str(steps), stopped or "at the end"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4, 5])
    parser.add_argument("--strategies", nargs="+", default=["GradientSurgery"])
    parser.add_argument("--json", type=Path, help="write all numbers here")
    own, rest = parser.parse_known_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    quiet = Console(quiet=True)
    results = []
    print(f"| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}")
    for seed in own.seeds:
        models: Models | None = None
        for name in own.strategies:
            strategy, task, _ = parse_demo(["--strategy", name, "--seed", str(seed), *rest])
            models = models or train_models(task, seed=seed, console=quiet)
            outcome, _ = unlearn(strategy, task, models, seed=seed, console=quiet)
            original, unlearned, reference = outcome.rows
            if name == own.strategies[0]:
                print(line(seed, "original (do nothing)", original))
                print(line(seed, "reference (retrained)", reference), flush=True)
            print(line(seed, name, unlearned, outcome.steps, outcome.stopped), flush=True)
            results.append(
                {"seed": seed, "strategy": described(strategy), "task": task.name, **asdict(outcome)}
            )
    if own.json:
        own.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
