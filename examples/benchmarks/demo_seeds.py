"""The demonstration over several seeds and strategies: the tables of docs/results.md.

    python examples/benchmarks/demo_seeds.py --seeds 0 1 2 3 4 5 [--strategies GradientSurgery FineTune ...]
        [--forget-fraction 0.1] [--data mnist --data-dir DIR] [--json FILE]

What is not one of its own arguments goes to `lightning-unlearn demo`. The models of a seed are trained once. First a table
of every run, then one of means and standard deviations, with the largest gaps between the first strategy and the reference.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import warnings
from collections import Counter, defaultdict
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from lightning_unlearn.cli import parse_demo
from lightning_unlearn.demo import Models, described, train_models, unlearn
from lightning_unlearn.demo._report import Row

ORIGINAL, REFERENCE = "original (do nothing)", "reference (retrained)"
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


SHARES = ("forget_accuracy", "retain_accuracy", "test_accuracy", "mia_accuracy")
Runs = list[tuple[Row, int | None, str | None]]  # and steps and stop, `None` for what was trained


def means(runs: dict[str, Runs]) -> str:
    """Mean ± standard deviation over seeds, as Markdown."""
    lines = ["| model | forget | retain | test | MIA | forget loss | steps | stopped at |", f"|{'---|' * 8}"]
    for name, of_name in runs.items():
        cells = [name]
        for what in SHARES:
            each = [100 * getattr(row, what) for row, _, _ in of_name]
            spread = f" ± {statistics.stdev(each):.1f}" if len(each) > 1 else ""
            cells.append(f"{statistics.mean(each):.1f}{spread} %")
        cells.append(f"{statistics.mean(row.forget_loss for row, _, _ in of_name):.3f}")
        steps = [steps for _, steps, _ in of_name if steps is not None]
        stops = Counter(stopped or "end" for _, _, stopped in of_name) if steps else {}
        cells.append(f"{min(steps)}–{max(steps)}" if steps else "")
        cells.append(", ".join(f"{stop} {count}" for stop, count in stops.items()))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def gaps(name: str, found: Runs, references: Runs) -> str:
    pairs = [(row, reference) for (row, _, _), (reference, _, _) in zip(found, references, strict=True)]
    largest = (
        f"|{what.split('_')[0]} gap| {100 * max(abs(getattr(a, what) - getattr(b, what)) for a, b in pairs):.1f}"
        for what in SHARES[:3]
    )
    speedup = min(row.speedup for row, _ in pairs)
    return f"For `{name}`, max {', '.join(largest)}; speed-up min {speedup:.1f} (points; times)."


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
    runs: dict[str, Runs] = defaultdict(list)
    print(f"| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}")
    for seed in own.seeds:
        models: Models | None = None
        for name in own.strategies:
            strategy, task, _ = parse_demo(["--strategy", name, "--seed", str(seed), *rest])
            models = models or train_models(task, seed=seed, console=quiet)
            outcome, _ = unlearn(strategy, task, models, seed=seed, console=quiet)
            original, unlearned, reference = outcome.rows
            if name == own.strategies[0]:
                for model, row in ((ORIGINAL, original), (REFERENCE, reference)):
                    print(line(seed, model, row), flush=True)
                    runs[model].append((row, None, None))
            print(line(seed, name, unlearned, outcome.steps, outcome.stopped), flush=True)
            runs[name].append((unlearned, outcome.steps, outcome.stopped))
            results.append(
                {"seed": seed, "strategy": described(strategy), "task": task.name, **asdict(outcome)}
            )
    print(f"\n{means(runs)}\n\n{gaps(own.strategies[0], runs[own.strategies[0]], runs[REFERENCE])}")
    if own.json:
        own.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
