"""Seconds and memory of a full audit: a perceptron of 2 M parameters, 10,000 forget and 50,000 retain samples.

Everything but what trains copies of the models (an epoch on the retain set, learning again), which is timed apart.

    python examples/benchmarks/audit_speed.py
"""

import argparse
import resource
import time

import lightning as L
import torch
from torch import nn
from torch.utils.data import TensorDataset

from lightning_unlearn.audit import audit


class Perceptron(L.LightningModule):
    """Three layers, 1,971,360 parameters."""

    def __init__(self):
        super().__init__()
        widths = [784, 1200, 850, 10]
        layers = [nn.Sequential(nn.Linear(a, b), nn.ReLU()) for a, b in zip(widths, widths[1:], strict=False)]
        layers[-1] = layers[-1][0]
        self.net = nn.Sequential(*layers)

    def forward(self, inputs):
        return self.net(inputs)


def samples(count, generator):
    return TensorDataset(
        torch.randn(count, 784, generator=generator), torch.randint(10, (count,), generator=generator)
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--references", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of samples")
    parser.add_argument("--train", action="store_true", help="also train copies")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator = torch.Generator().manual_seed(0)
    sizes = {"forget": 10_000, "retain": 50_000, "test": 10_000}
    data = {side: samples(int(size * arguments.scale), generator) for side, size in sizes.items()}
    torch.manual_seed(0)
    original, unlearned, *references = (Perceptron() for _ in range(2 + arguments.references))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu = time.perf_counter(), time.process_time()
    training = {} if arguments.train else {"benign_epoch": False, "relearning_steps": 0}
    audit(original, data, original=original, unlearned=unlearned, references=references, **training)
    seconds, used = time.perf_counter() - start, time.process_time() - cpu
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    count = sum(weight.numel() for weight in original.parameters())
    print(
        f"{count:,} parameters, {arguments.references} references, {sum(len(side) for side in data.values()):,} samples"
    )
    print(f"{seconds:.0f} s, {used:.0f} s of processor time; the peak of memory grew by {grown:.0f} MB")


if __name__ == "__main__":
    main()
