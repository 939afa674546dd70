"""Run as `python -m tests.ddp._failing WHERE`: a fit on two processes, of which the second fails."""

import os
import sys
import time

import torch
from lightning.pytorch.utilities import CombinedLoader
from torch.utils.data import DataLoader

from lightning_unlearn import GradientSurgery
from tests.ddp._modules import MARK
from tests.ddp._ranks import be_quiet
from tests.strategies import _fits as fits
from tests.strategies._modules import Net


class Failing(Net):
    """Raises in the third batch of a side, on the second rank."""

    def __init__(self, side):
        super().__init__()
        self.side, self.seen = side, 0

    def training_step(self, batch, batch_idx):
        side = "forget" if bool((batch[0][:, -1] == MARK).all()) else "retain"
        self.seen += side == self.side
        if self.seen == 3 and self.trainer.global_rank == 1:
            raise RuntimeError("the third batch is a bad one")
        return super().training_step(batch, batch_idx)


def loaders(where):
    sides = fits.sides(retain=40, forget=40)
    sides["forget"].dataset.tensors[0][:, -1] = MARK
    if os.environ.get("LOCAL_RANK") == "1" and where == "empty-loader":
        sides["forget"] = DataLoader(fits.samples(0, 2), 4, generator=torch.Generator())
    if os.environ.get("LOCAL_RANK") == "1" and where == "misfit":
        sides["forget"] = DataLoader(fits.samples(8, 2), 4, generator=torch.Generator())
        return CombinedLoader(sides, "max_size")
    return sides


if __name__ == "__main__":
    where = sys.argv[1]
    be_quiet()
    arguments = {"strategy": "ddp", "devices": 2, "use_distributed_sampler": False}
    try:
        fits.fit(Failing(where), loaders(where), GradientSurgery(alpha=1.0), **arguments)
    except Exception as error:
        said = f"\nfailed at {time.monotonic()}: {error}\n"
        os.write(sys.stderr.fileno(), said.encode())  # at once: two processes may write to one file
        raise
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
