"""Run the demonstration over several seeds and print the table that stands in docs/results.md.

python examples/benchmarks/demo_seeds.py --seeds 0 1 2 3 4 5 [--forget-fraction 0.1] [--data mnist --data-dir DIR]
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import warnings
from pathlib import Path

from rich.console import Console

from lightning_unlearn.cli import demo

COLUMNS = ("forget_accuracy", "retain_accuracy", "test_accuracy", "mia_accuracy")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4, 5])
    parser.add_argument("--json", type=Path, help="write the reports here")
    arguments, rest = parser.parse_known_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore")
    reports = []
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as folder:
            demo(["--seed", str(seed), "--output", folder, *rest], Console(quiet=True))
            reports.append(json.loads(Path(folder, "report.json").read_text()))
        if seed == arguments.seeds[0]:
            print(f"{reports[0]['task']}: {reports[0]['strategy']}\n")
            print("| seed | model | forget | retain | test | MIA | seconds | speed-up | steps |")
            print("|---|---|---|---|---|---|---|---|---|")
        for row in reports[-1]["models"]:
            cells = [f"{100 * row[c]:.1f} %" for c in COLUMNS]
            speedup = "" if row["speedup"] is None else f"{row['speedup']:.1f}"
            steps = reports[-1]["steps"] if row["name"] == "unlearned" else ""
            print(
                "|",
                " | ".join([str(seed), row["name"], *cells, f"{row['seconds']:.1f}", speedup, str(steps)]),
                "|",
                flush=True,
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(reports, indent=1))


if __name__ == "__main__":
    main()
