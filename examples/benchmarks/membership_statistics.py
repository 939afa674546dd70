"""Which number of a model tells best whether it saw single samples: the choice behind the audit's test of membership.

    python examples/benchmarks/membership_statistics.py
    python examples/benchmarks/membership_statistics.py --data FashionMNIST --data-dir DIR --seed 1

Models trained with and without a random tenth of the samples, each from its own seed. A number is as good as it lies apart: mean of
the models that saw the tenth, less mean of those that did not, in standard deviations of the latter.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from audit_fooled import fit
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.special import expit
from torch.utils.data import TensorDataset

from lightning_unlearn.demo import Digits

NUMBERS = {
    "logit gap": lambda gap: gap,
    "log-likelihood": lambda gap: -np.logaddexp(0, -gap),
    "probability": expit,
    "probability at twice the temperature": lambda gap: expit(gap / 2),
    "right answers": lambda gap: gap > 0,
}


def images(name: str, folder: Path | None, count: int, train: bool) -> TensorDataset:
    """The digits of scikit-learn, or the first of a data set of torchvision that lies in a folder."""
    if name == "digits":
        return TensorDataset(Digits(train).images, Digits(train).targets)
    from torchvision import datasets

    part = getattr(datasets, name)(folder, train=train)
    return TensorDataset(part.data[:count, None] / 255, part.targets[:count])


def gaps(model: torch.nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
    """`log(p_y / (1 − p_y))` of each sample, without saturation."""
    with torch.no_grad():
        logits = torch.cat([model.eval()(part) for part in inputs.split(500)]).double()
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf).logsumexp(1, keepdim=True)
    return (own - others)[:, 0].numpy()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=["digits", "MNIST", "FashionMNIST"], default="digits")
    parser.add_argument("--data-dir", type=Path, help="root of torchvision's data sets")
    parser.add_argument(
        "--samples", type=int, default=3000, help="of either part, the first ones; not of the digits"
    )
    parser.add_argument(
        "--models", type=int, default=6, help="that saw the tenth; twice as many that did not"
    )
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the tenth")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    train, test = (
        images(arguments.data, arguments.data_dir, arguments.samples, part) for part in (True, False)
    )
    inputs, labels = train.tensors
    stream = torch.Generator().manual_seed(arguments.seed)
    forget = torch.randperm(len(train), generator=stream) < len(train) // 10
    retain = TensorDataset(inputs[~forget], labels[~forget])
    found: dict[bool, list[tuple[np.ndarray, np.ndarray]]] = {True: [], False: []}
    plan = [(True, seed) for seed in range(arguments.models)]
    plan += [(False, 1000 + seed) for seed in range(2 * arguments.models)]
    for saw, seed in track(plan, description="models", transient=True):
        model = fit(train if saw else retain, arguments.epochs, seed)
        found[saw].append((gaps(model, inputs[forget], labels[forget]), gaps(model, *test.tensors)))
    table = Table(title=f"{arguments.data}, tenth {arguments.seed}")
    for column in ("mean of", "forget set", "forget set less test set"):
        table.add_column(column, justify="left" if column == "mean of" else "right")
    for name, number in NUMBERS.items():
        means = {
            saw: np.array([[number(gap).mean() for gap in pair] for pair in pairs])
            for saw, pairs in found.items()
        }
        row = []
        for of in (lambda m: m[:, 0], lambda m: m[:, 0] - m[:, 1]):
            saw, did_not = of(means[True]), of(means[False])
            row.append(f"{(saw.mean() - did_not.mean()) / did_not.std(ddof=1):.1f}")
        table.add_row(name, *row)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
