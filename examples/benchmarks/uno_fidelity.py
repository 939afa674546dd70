"""The published Fréchet distance of the original model of UNO (Mandal and Gottwald 2025), by their formula and by the exact one.

    python examples/benchmarks/uno_fidelity.py DATA [--samples 10000] [--seeds 20]

DATA has `MNIST/raw` with the four idx files and `uno_mnist_vae` with the state dicts and `published/` of github.com/pinakm9/forget.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import _uno as uno
import torch

from lightning_unlearn.demo import MNIST
from lightning_unlearn.metrics.functional import (
    class_fraction,
    frechet_distance,
    prior_test,
    proportion_interval,
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    theirs = uno.published(options.data)
    draws = [uno.one_draw(options.data, options.samples, seed) for seed in range(options.seeds)]
    print(f"Fréchet distance (uno-mnist-classifier-200), {options.samples} images, {options.seeds} seeds")
    print("| formula | mean | standard deviation | smallest | largest |\n|---|---|---|---|---|")
    rows = {
        f"published, {len(theirs)} values": theirs,
        "theirs, symmetrised": torch.stack([uno.symmetrised_distance(*draw) for draw in draws]),
        "exact": torch.stack([frechet_distance(*draw) for draw in draws]).double(),
    }
    for name, values in rows.items():
        numbers = (values.mean(), values.std(), values.min(), values.max())
        print(f"| {name} | {' | '.join(f'{number:.3f}' for number in numbers)} |")
    scores = uno.classifier(options.data)
    with torch.no_grad():
        logits = scores(
            uno.decoder(options.data)(torch.randn(25_000, 2, generator=torch.Generator().manual_seed(0)))
        )
    hits = int((logits.argmax(1) == 1).sum())
    low, high = proportion_interval(hits, len(logits))
    prior = float((MNIST(str(options.data)).targets == 1).float().mean())
    ratio, p_value = prior_test(hits, len(logits), prior)
    print(f"fraction of ones: {class_fraction(logits, 1):.4f}, 95 % interval {low:.4f} to {high:.4f}")
    print(
        f"in the training data: {prior:.4f}, ratio {ratio:.3f}, p-value of not being below it {p_value:.2g}"
    )


if __name__ == "__main__":
    main()
