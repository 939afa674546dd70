"""What `GradientSurgery` costs on a GPU over the floor: the same two passes and optimiser step in a bare loop.

    python examples/benchmarks/gpu_overhead.py [--batch-size 256] [--image-size 224] [--precision 16-mixed]

ResNet-18 of torchvision, a retain and a forget batch a step, fused SGD. Batches lie on the device, so that loading
costs nothing. The variants take turns in random order, a block of steps at a time; a block is timed from one
synchronisation to the next. The target is a ratio of medians of at most 1.03.
"""

from __future__ import annotations

import argparse
import logging
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from lightning_unlearn import GradientSurgery

TARGET = 1.03
Batch = tuple[Tensor, Tensor]


class Classifier(L.LightningModule):
    """An ordinary module: one pass a step."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return optimizer_of(self.net)


class Timed(L.Callback):
    """Seconds between the ends of the steps `first` and `last`, with the device idle at both."""

    def __init__(self, device: torch.device, first: int, last: int) -> None:
        self.device, self.steps, self.moments = device, (first, last), list[float]()

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step in self.steps:
            self.moments.append(moment(self.device))

    @property
    def seconds(self) -> float:
        return self.moments[1] - self.moments[0]


def moment(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def optimizer_of(net: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, fused=True)


def resnet(device: torch.device) -> nn.Module:
    from torchvision.models import resnet18

    return resnet18(num_classes=10).to(device)


def batches(size: int, side: int, device: torch.device) -> dict[str, Batch]:
    return {
        name: (torch.randn(size, 3, side, side, device=device), torch.randint(10, (size,), device=device))
        for name in ("retain", "forget")
    }


class Repeated(torch.utils.data.Dataset[Batch]):
    """One batch, as often as there are steps."""

    def __init__(self, batch: Batch, steps: int) -> None:
        self.batch, self.steps = batch, steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> Batch:
        return self.batch


def bare(data: dict[str, Batch], device: torch.device, steps: int, warmup: int, precision: str) -> float:
    """The floor: two forward and backward passes, gradients added up, one step of the optimiser."""
    net = resnet(device)
    optimizer = optimizer_of(net)
    half = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}.get(precision)
    scaler = torch.amp.GradScaler(device.type, enabled=half is torch.float16)
    start = 0.0
    for step in range(warmup + steps):
        if step == warmup:
            start = moment(device)
        optimizer.zero_grad()
        for images, labels in data.values():
            with torch.autocast(device.type, dtype=half, enabled=half is not None):
                loss = F.cross_entropy(net(images), labels)
            scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return moment(device) - start


def trained(
    data: dict[str, Batch], device: torch.device, steps: int, warmup: int, precision: str, *, unlearn: bool
) -> float:
    """`Trainer.fit`, with the strategy or on retain batches alone."""
    loaders: Any = {
        name: DataLoader(Repeated(batch, warmup + steps), None, generator=torch.Generator())
        for name, batch in data.items()
    }
    timed = Timed(device, warmup, warmup + steps)
    trainer = L.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        precision=precision,
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[*([GradientSurgery()] if unlearn else []), timed],
    )
    trainer.fit(Classifier(resnet(device)), loaders if unlearn else loaders["retain"])
    return timed.seconds


def measure(arguments: argparse.Namespace, device: torch.device) -> dict[str, float]:
    data = batches(arguments.batch_size, arguments.image_size, device)
    shared = (data, device, arguments.steps, arguments.warmup, arguments.precision)
    variants: dict[str, Callable[[], float]] = {
        "bare loop, two passes (floor)": lambda: bare(*shared),
        "Trainer.fit, retain pass alone": lambda: trained(*shared, unlearn=False),
        "Trainer.fit, GradientSurgery": lambda: trained(*shared, unlearn=True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    runs = [name for name in variants for _ in range(arguments.repetitions)]
    random.shuffle(runs)
    for name in runs:
        seconds[name].append(variants[name]() / arguments.steps)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--precision", default="32-true", choices=["32-true", "16-mixed", "bf16-mixed"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="cpu: to try the script")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print("No CUDA device was found: nothing was measured.")
        sys.exit(0)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    device = torch.device(arguments.device)
    medians = measure(arguments, device)
    floor = medians["bare loop, two passes (floor)"]
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    print(f"ResNet-18, {arguments.batch_size} + {arguments.batch_size} images, {arguments.precision}, {name}")
    for variant, seconds in medians.items():
        print(f"{variant:32}{1e3 * seconds:10.2f} ms a step{seconds / floor:8.3f} of the floor")
    print(f"target for GradientSurgery: at most {TARGET:.2f}")


if __name__ == "__main__":
    main()
