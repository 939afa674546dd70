"""Peak memory of `GradientSurgery` by granularity, in bytes that tensors hold on to.

    python examples/benchmarks/granularity.py [--json FILE]

`"model"` keeps one gradient beside the retain gradient; `"tensor"` combines each tensor's gradient as it arrives. Counted
at every operation of a `Trainer.fit`, with small batches, so that gradients and not activations make the peak.
"""

from __future__ import annotations

import argparse
import json
import logging
import warnings
from pathlib import Path

import torch
from _memory import Allocated
from _models import Plain, mlp, resnet
from rich.console import Console
from rich.table import Table
from step_overhead import batches, fit, sides
from torch import nn

from lightning_unlearn import FineTune, GradientSurgery


def deep() -> nn.Module:
    """Thirty equal layers: one tensor is a small part of the whole."""
    layers = [layer for _ in range(30) for layer in (nn.Linear(256, 256), nn.Tanh())]
    return nn.Sequential(nn.Linear(784, 256), *layers, nn.Linear(256, 10))


MODELS = {
    "MLP 2 M, three layers": (mlp, (784,)),
    "MLP 2.2 M, 32 layers": (deep, (784,)),
    "ResNet 0.2 M": (resnet, (3, 32, 32)),
}
VARIANTS = {
    "retain gradient alone": FineTune,
    'granularity="model"': GradientSurgery,
    'granularity="tensor"': lambda: GradientSurgery(granularity="tensor"),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    table = Table("model", "strategy", "peak MB", "over the first, in gradients")
    results = {}
    for model, (make, shape) in MODELS.items():
        gradient = sum(p.numel() * p.element_size() for p in make().parameters())
        peaks = {}
        for name, strategy in VARIANTS.items():
            module, data = Plain(make()), sides(batches(shape, 2, 4))
            with Allocated() as memory:
                fit(module, data, strategy())
            peaks[name] = memory.peak
        first = peaks["retain gradient alone"]
        results[model] = {"gradient": gradient, **peaks}
        for name, peak in peaks.items():
            table.add_row(model, name, f"{peak / 1e6:.2f}", f"{(peak - first) / gradient:.2f}")
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
