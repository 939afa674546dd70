"""The tables of `uno_vae.py`, from the results in a folder; published rows beside them."""

from __future__ import annotations

import csv
import json
import statistics
from pathlib import Path
from typing import Any

THEIRS, ALL, RETAINED = KINDS = ("theirs, all", "exact, all", "exact, retained")
PUBLISHED = {
    "a": "ascent",
    "sa": "GradientSurgery, paper, with that term ascended",
    "s": "RetainSurgery",
    "o": "UNO",
    "os": "UNO-S",
    "hat": "fine-tuning, called guided",
    "shat": "RetainSurgery, guided",
    "ohat": "UNO, guided",
    "ohatshat": "UNO-S, guided",
}


def print_tables(folder: Path, data: Path, digit: int, names: list[str]) -> None:
    runs = {name: runs_of(folder, name) for name in names}
    runs = {name: found for name, found in runs.items() if found}
    print(f"\nDigit {digit}. Fréchet distances to all training images and to retained ones:\n")
    heads = ["strategy", "first hit", "fraction", *KINDS, "change", "fraction at the end", *KINDS, "change"]
    print(row(heads) + "\n" + row(["---"] * len(heads)))
    starts = [found["start"] for found in next(iter(runs.values()))]
    print(row(["do nothing", "", *measured(starts), "", *[""] * 5]))
    for name, found in runs.items():
        hits, ends = ([r[stop] for r in found if r[stop]] for stop in ("hit", "end"))
        print(
            row(
                [
                    name,
                    steps(found),
                    *measured(hits),
                    change(found, "hit"),
                    *measured(ends),
                    change(found, "end"),
                ]
            )
        )
    if digit == 1:
        for label, step, distance in published(data):
            print(row([f"published: {label}", step, *[""] * 6, distance, "", "", ""]))
    print("\nAfter 50 further ordinary steps on retained digits:\n")
    heads = ["strategy", "from the first hit", RETAINED, "from the end", RETAINED]
    print(row(heads) + "\n" + row(["---"] * len(heads)))
    for name, found in runs.items():
        stops = [[r["revived"][stop] for r in found if stop in r["revived"]] for stop in ("hit", "end")]
        print(row([name, *(cell for stop in stops for cell in (percent(stop), mean(stop, RETAINED)))]))
    references = runs_of(folder, "retrained")
    if references:
        print(row(["retrained without the digit", percent(references), mean(references, RETAINED), "", ""]))
    print_seconds(folder)


def print_seconds(folder: Path) -> None:
    taken = json.loads((folder / "seconds.json").read_text())
    base = taken.get("retain fine-tuning")
    if base is None:
        return
    print(
        "\n" + row(["strategy", "ms a step (median)", "times retain fine-tuning"]) + "\n" + row(["---"] * 3)
    )
    for name, found in taken.items():
        middle = statistics.median(found)
        print(row([name, f"{1e3 * middle:.1f}", f"{middle / statistics.median(base):.2f}"]))


def runs_of(folder: Path, name: str) -> list[dict[str, Any]]:
    files = sorted(f for f in folder.glob(f"{name}, *.json") if f.stem.removeprefix(f"{name}, ").isdigit())
    return [json.loads(file.read_text()) for file in files]


def measured(found: list[dict[str, float]]) -> list[str]:
    return [percent(found), *(mean(found, kind) for kind in KINDS)]


def change(found: list[dict[str, Any]], stop: str) -> str:
    """Of the exact distance to retained digits, since the start."""
    return spread([r[stop][RETAINED] - r["start"][RETAINED] for r in found if r[stop]], 1)


def percent(found: list[dict[str, float]]) -> str:
    return spread([100 * one["fraction"] for one in found], 2, " %")


def mean(found: list[dict[str, float]], kind: str) -> str:
    return spread([one[kind] for one in found], 1)


def spread(values: list[float], digits: int, unit: str = "") -> str:
    """Mean ± standard deviation (largest)."""
    if not values:
        return ""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}{unit}"
    return f"{statistics.mean(values):.{digits}f} ± {statistics.stdev(values):.{digits}f}{unit} (≤ {max(values):.{digits}f})"


def steps(found: list[dict[str, Any]]) -> str:
    hits = [r["hit"]["step"] for r in found if r["hit"]]
    missed = len(found) - len(hits)
    return ", ".join(
        [spread([float(h) for h in hits], 1)] * bool(hits)
        + [f"{missed} of {len(found)} never"] * bool(missed)
    )


def published(data: Path) -> list[tuple[str, str, str]]:
    with (data / "uno_mnist_vae" / "published" / "summary.csv").open() as lines:
        rows = {one["Label"]: one for one in csv.DictReader(lines)}
    return [(name, rows[label]["Step"], rows[label]["FID"]) for label, name in PUBLISHED.items()]


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
