"""What the recipes come to, over several seeds: of the original, of the order of the samples, and of which random tenth is forgotten.

    python examples/benchmarks/recipes.py --recipes 'examples/recipes/digits_*.yaml' [--seeds 3] [--write]
        [--data.train.root DIR --data.test.root DIR]

Each seed (0, 1, ...; what the files have is seed 0) trains the originals, as `examples/recipes/originals/` says, and runs every recipe
from them, with the command line's own code. What is not one of its own arguments goes to the runs. `--write` puts the means into
the files as `expected`, with the larger of 0.01 and three standard deviations as tolerance.
"""

from __future__ import annotations

import argparse
import glob
import logging
import math
import os
import statistics
import tempfile
import warnings
from collections import defaultdict
from pathlib import Path

import yaml
from rich import box
from rich.console import Console
from rich.table import Table

from lightning_unlearn._expected import logged_by
from lightning_unlearn._files import atomically
from lightning_unlearn.cli import UnlearnCLI

METRICS = ("unlearn/forget_accuracy", "unlearn/retain_accuracy", "unlearn/test_accuracy", "val_accuracy")
QUIET = ("enable_progress_bar", "enable_model_summary", "logger")
LEAST = 0.01  # tolerance
EXPECTED = "\nexpected:\n"  # the last block of a file


def run(path: Path, seed: int, arguments: list[str]) -> dict[str, float]:
    quiet = [f"--trainer.{name}=false" for name in QUIET]
    given = [f"--config={path}", "--expected=null", f"--seed_everything={seed}", *quiet, *arguments]
    trainer = UnlearnCLI(args=["fit", *given], save_config_callback=None).trainer
    logged = logged_by(trainer, METRICS)
    return {name: logged[name] for name in METRICS if name in logged}


def of_original(arguments: list[str]) -> list[str]:
    """The same options, for data that are not split."""
    names = {"--data.train.": "--data.train_dataset.", "--data.test.": "--data.val_dataset."}
    for short, long in names.items():
        arguments = [argument.replace(short, long) for argument in arguments]
    return arguments


def measure(recipes: list[Path], seed: int, arguments: list[str]) -> dict[Path, dict[str, float]]:
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for recipe in recipes:
            own = [f"--data.seed={seed}", "--trainer.enable_checkpointing=false", *arguments]
            start = yaml.safe_load(recipe.read_text("utf-8")).get("original")
            if start is not None:
                original = recipe.parent / "originals" / f"{Path(start).stem}.yaml"
                if original not in found:
                    into = f"--trainer.callbacks.dirpath={folder}"
                    found[original] = run(original, seed, [into, *of_original(arguments)])
                own.append(f"--original={Path(folder, Path(start).name)}")
            found[recipe] = run(recipe, seed, own)
    return found


def tolerance(values: list[float]) -> float:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return max(LEAST, math.ceil(3000 * spread) / 1000)


def write(path: Path, found: dict[str, list[float]]) -> None:
    """Replace the block at the end of a file."""
    lines = [
        f"  {name}: {{value: {round(statistics.mean(values), 4)}, tolerance: {tolerance(values)}}}"
        for name, values in found.items()
    ]
    text = path.read_text("utf-8").partition(EXPECTED)[0].rstrip("\n")
    with atomically(path) as temporary:
        temporary.write_text(text + EXPECTED + "\n".join(lines) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--recipes", nargs="+", required=True, help="files or patterns")
    parser.add_argument("--seeds", type=int, default=3, help="how many: 0, 1, ...")
    parser.add_argument("--write", action="store_true", help="put the numbers into the files")
    own, rest = parser.parse_known_args()
    recipes = [Path(name) for pattern in own.recipes for name in sorted(glob.glob(pattern))]
    if not recipes:
        parser.error(f"no file matches {' '.join(own.recipes)}")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
    warnings.filterwarnings("ignore")
    values: dict[Path, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for seed in range(own.seeds):
        for path, metrics in measure(recipes, seed, rest).items():
            for name, value in metrics.items():
                values[path][name].append(value)
    table = Table("recipe", "metric", "mean", "min", "max", "tolerance", box=box.MARKDOWN)
    for path, found in values.items():
        for name, each in found.items():
            numbers = (statistics.mean(each), min(each), max(each), tolerance(each))
            table.add_row(path.stem, name, *(f"{number:.4f}" for number in numbers))
        if own.write:
            write(path, found)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
