"""Run as `python -m tests.ddp._ranks FOLDER KIND...`, once a rank: fits every row in these ways, and saves the ends."""

import logging
import sys
import warnings
from pathlib import Path

import torch

from tests.ddp._kinds import COMBINATIONS, CONTROLS, end_of


def finish(result, folder):
    """Save what this rank has, and leave together, or a rank may abort at exit."""
    torch.save(result, Path(folder) / f"{torch.distributed.get_rank()}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def be_quiet():
    """One thread, nothing but errors."""
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")


if __name__ == "__main__":
    folder, *kinds = sys.argv[1:]
    be_quiet()
    finish({(n, k): end_of(n, k, processes=2) for n, k in COMBINATIONS + CONTROLS if k in kinds}, folder)
