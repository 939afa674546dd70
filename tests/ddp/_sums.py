"""Run as `python -m tests.ddp._sums FOLDER`, once a rank: what `Source` sums come to before the first step."""

import sys

import lightning.pytorch as L
import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, DistributedSampler

from lightning_unlearn import UnlearningDataModule, UnlearningStrategy
from tests.ddp._ranks import be_quiet, finish
from tests.strategies import _fits as fits
from tests.strategies._modules import Net

SIZES = (1, 5, 12)  # with two ranks: one has nothing, one has one more, both have the same


class Sums(UnlearningStrategy):
    """Squared gradients of each sample, and products of a layer's inputs, summed over the forget set."""

    def prepare(self, module, forget, retain):
        self.result = self.summed(forget, lambda batch: self.terms(module, forget, batch))

    def summed(self, source, terms):
        return source.sum(terms)

    def terms(self, module, source, batch):
        seen = []
        layer = [m for m in module.modules() if isinstance(m, nn.Linear)][1]
        handle = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
        total = {"samples": torch.tensor(float(len(batch[0])))}
        for x, y in zip(batch[0], batch[1], strict=True):
            loss = cross_entropy(module(x.unsqueeze(0)), y.unsqueeze(0))
            for name, gradient in source.gradient(loss).items():
                total[name] = total.get(name, 0.0) + gradient**2
        handle.remove()
        inputs = torch.cat(seen)
        return total | {"products": inputs.T @ inputs}

    def direction(self, forget, retain):
        return retain.gradient()


class Unreduced(Sums):
    """Takes what one process has for the whole."""

    def summed(self, source, terms):
        source._world_size = 1
        return source.sum(terms)


class Padded(Sums):
    """Shares the samples out as training does, which repeats some of them."""

    def summed(self, source, terms):
        trainer, data = self._attached.trainer, source._loader.dataset.dataset
        rank, world_size = trainer.global_rank, trainer.world_size
        source._loader = DataLoader(data, 4, sampler=DistributedSampler(data, world_size, rank))
        source._idle = False
        return source.sum(terms)


class RankAware(torch.utils.data.Sampler):
    """A user's own way to share out: the second half for the first rank."""

    def __init__(self, size, trainer):
        self.size, self.trainer = size, trainer

    def __len__(self):
        return len(list(iter(self)))

    def __iter__(self):
        half = (self.size + 1) // 2
        if self.trainer.world_size == 1:
            return iter(range(self.size))
        return iter(range(half, self.size) if self.trainer.global_rank == 0 else range(half))


class Data(L.LightningDataModule):
    """Both sides; the forget set has this many samples, and the given way to choose them."""

    def __init__(self, size, way):
        super().__init__()
        self.size, self.way = size, way

    def train_dataloader(self):
        forget = fits.samples(self.size, 2)
        sampler = RankAware(self.size, self.trainer) if self.way == "rank-aware" else None
        return {
            "retain": fits.sides()["retain"],
            "forget": DataLoader(
                forget, 4, sampler=sampler, shuffle=self.way == "shuffled", generator=torch.Generator()
            ),
        }


def in_order(size):
    return Data(size, "in-order")


RUNS = {f"{size} in order": (Sums, in_order, size) for size in SIZES}
RUNS |= {f"{size} shuffled": (Sums, lambda n: Data(n, "shuffled"), size) for size in SIZES}
RUNS |= {
    f"{size} data module": (
        Sums,
        lambda n: UnlearningDataModule(fits.samples(20, 1), fits.samples(n, 2), batch_size=4),
        size,
    )
    for size in SIZES
}
RUNS["12 by a rank-aware sampler"] = (Sums, lambda n: Data(n, "rank-aware"), 12)
BROKEN = {
    "5 unreduced": (Unreduced, in_order, 5),
    "5 padded": (Padded, in_order, 5),
    "1 padded": (Padded, in_order, 1),
}


def sums_of(name, processes):
    """The sums of one run."""
    make, data, size = (RUNS | BROKEN)[name]
    strategy = make()
    parallel = {"strategy": DDPStrategy(static_graph=True), "devices": 2} if processes == 2 else {}
    own_sampler = "rank-aware" in name
    fits.fit(Net(), data(size), strategy, max_steps=1, use_distributed_sampler=not own_sampler, **parallel)
    return strategy.result


if __name__ == "__main__":
    be_quiet()
    finish({name: sums_of(name, processes=2) for name in RUNS | BROKEN}, sys.argv[1])
