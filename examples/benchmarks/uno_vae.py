"""UNO, surgery and their controls on the VAE of UNO's authors, by the protocol of their code.

    python examples/benchmarks/uno_vae.py DATA [--seeds 10] [--digits 1 3 7] [--rows NAME ...] [--results FOLDER]

DATA is as in `uno_fidelity.py`. Every run is written to the folder of results at once and read back from there: a run that is
interrupted goes on, and `--seeds 0` prints the tables of what is there.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from _uno_tables import print_tables
from _uno_vae import LATENTS, Bench, Stopwatch, fit, judge, latents, loaders_for, run
from uno_audit import VAE, retrained

from lightning_unlearn import (
    UNO,
    UNOS,
    FineTune,
    GradientAscent,
    GradientDifference,
    GradientSurgery,
    Guidance,
    Redirect,
    RetainSurgery,
)


def guided(bench: Bench, seed: int) -> Guidance:
    """As their variants with a hat: the classifier that scores, at weight 1000, on 128 fixed latents."""
    z = latents(LATENTS, seed + 500)
    return Guidance(lambda vae: vae.decoder(z), bench.classifier, [bench.digit], 10, weight=1e3)


def redirect(bench: Bench, seed: int) -> Redirect:
    """The recommended default; chosen on the digits 0, 2, 4, 6 and 9."""
    return Redirect(
        lambda vae: vae.decoder(torch.randn(1024, 2)),
        judge(bench, seed),
        bench.retain,
        push=5e4,
        pull=60.0 * 128,
        seed=seed,
    )


Row = tuple[int, Callable[[Bench, int], Any]]  # steps of a run, and how to make the strategy
ROWS: dict[str, Row] = {
    "retain fine-tuning": (50, lambda b, s: FineTune()),
    "ascent": (50, lambda b, s: GradientAscent(seed=s)),
    "GradientSurgery, paper": (50, lambda b, s: GradientSurgery(1.0, 0.0, when="always", seed=s)),
    "GradientSurgery": (50, lambda b, s: GradientSurgery(1.0, seed=s)),
    "RetainSurgery": (50, lambda b, s: RetainSurgery(seed=s)),
    "UNO, λ = 1000": (50, lambda b, s: UNO(weight=1e3, relative=False, alpha=0.0, seed=s)),
    "UNOS, λ = 1000": (50, lambda b, s: UNOS(weight=1e3, relative=False, alpha=0.0, seed=s)),
    "UNO, λ = 0, guided": (50, lambda b, s: UNO(weight=0.0, alpha=0.0, guidance=guided(b, s), seed=s)),
    "UNOS, λ = 0, guided": (50, lambda b, s: UNOS(weight=0.0, alpha=0.0, guidance=guided(b, s), seed=s)),
    "RetainSurgery, guided": (50, lambda b, s: RetainSurgery(guidance=guided(b, s), seed=s)),
    "Redirect": (5, lambda b, s: GradientDifference(alpha=1.0, objective=redirect(b, s), seed=s)),
    "Redirect, 200 steps": (
        200,
        lambda b, s: GradientDifference(alpha=1.0, objective=redirect(b, s), seed=s),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--digits", type=int, nargs="+", default=[1, 3, 7])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--references", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--results", type=Path, default=Path("uno_vae_results"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for digit in options.digits:
        bench = Bench(options.data, digit)
        folder = options.results / str(digit)
        folder.mkdir(parents=True, exist_ok=True)
        for seed, name in itertools.product(range(options.seeds), options.rows):
            kept(folder / f"{name}, {seed}.json", lambda n=name, s=seed, b=bench: of_row(b, n, s))
        for seed in range(options.references if options.seeds else 0):
            kept(
                folder / f"retrained, {seed}.json",
                lambda s=seed, b=bench: b.measure(retrained(b.retain, options.epochs, s), s),
            )
        kept(folder / "seconds.json", lambda b=bench: seconds(b, options.rows))
        print_tables(folder, options.data, digit, list(ROWS))


def kept(file: Path, compute: Callable[[], Any]) -> None:
    if not file.exists():
        file.write_text(json.dumps(compute(), indent=1))


def of_row(bench: Bench, name: str, seed: int) -> dict[str, Any]:
    steps, make = ROWS[name]
    return run(bench, make(bench, seed), steps, seed)


def seconds(bench: Bench, names: list[str], rounds: int = 5, steps: int = 12) -> dict[str, list[float]]:
    """Seconds of a step, the rows taken in turns; the first two steps of each turn are left out."""
    found: dict[str, list[float]] = {name: [] for name in names}
    for turn, name in itertools.product(range(rounds), names):
        vae: VAE = bench.original()
        strategy, watch = ROWS[name][1](bench, 0), Stopwatch()
        fit(vae, loaders_for(strategy, bench.loaders(turn)), steps, strategy, watch)
        found[name] += watch.seconds[2:]
    return found


if __name__ == "__main__":
    main()
