"""Run as `python -m tests.sharded._ranks FOLDER GROUP`, once a rank: everything of that group, and what it comes to."""

import logging
import sys
import warnings
from pathlib import Path

import torch

from tests.sharded._runs import GROUPS


def main(folder, group):
    """One rank."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    results = {}
    for name, run in GROUPS[group]().items():
        torch.manual_seed(0)
        results[name] = run()
    torch.save(results, Path(folder) / f"{torch.distributed.get_rank()}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()  # or a rank may abort at exit


if __name__ == "__main__":
    main(*sys.argv[1:])
