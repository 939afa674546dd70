"""Run as `python -m tests.ddp._cached FOLDER`, once a rank: Fisher informations of ranks with a cache each, or one for both."""

import sys
from pathlib import Path

import torch
from lightning.pytorch.strategies import DDPStrategy

from lightning_unlearn import UnlearningDataModule, UnlearningStrategy
from lightning_unlearn.importance import diagonal_fisher
from tests.ddp._ranks import be_quiet, finish
from tests.importance._asked import of_pairs
from tests.strategies import _fits as fits
from tests.strategies._modules import Net


class Preparing(UnlearningStrategy):
    """Keeps the forget side's Fisher information, and how often losses were asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder, self.calls = folder, 0

    def losses(self, module, batch):
        self.calls += 1
        return of_pairs(module, batch)

    def prepare(self, module, forget, retain):
        self.found = diagonal_fisher(module, forget, self.losses, cache_dir=str(self.folder)).values

    def direction(self, forget, retain):
        return retain.gradient()


def fisher(folder, processes=2):
    """The values, and whether they were computed."""
    strategy = Preparing(folder)
    data = UnlearningDataModule(fits.samples(20, 1), fits.samples(5, 2), batch_size=4)
    parallel = {"strategy": DDPStrategy(), "devices": 2} if processes == 2 else {}
    fits.fit(Net(), data, strategy, max_steps=1, **parallel)
    return strategy.found | {"calls": torch.tensor(strategy.calls)}


if __name__ == "__main__":
    be_quiet()
    folder = Path(sys.argv[1])
    results = {"first": fisher(folder / "shared"), "again": fisher(folder / "shared")}
    rank = torch.distributed.get_rank()
    # one rank has the file, the other has none
    results["one has none"] = fisher(folder / ("shared" if rank == 0 else "empty"))
    finish(results, sys.argv[1])
