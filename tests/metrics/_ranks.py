"""Run as `python -m tests.metrics._ranks FOLDER`, once a rank: every metric, its samples spread over two processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from tests.metrics._cases import all_cases, split


def main(folder: str) -> None:
    """One rank; rank 0 sees one batch, rank 1 sees two."""
    torch.set_num_threads(1)
    rank = int(os.environ["LOCAL_RANK"])
    dist.init_process_group("gloo", rank=rank, world_size=2)
    values = {}
    for case in all_cases():
        metric = case.build()
        batches = split(case.samples(np.random.default_rng(0)), 3)
        for batch in batches[:1] if rank == 0 else batches[1:]:
            metric.update(*batch)
        if hasattr(metric, "interval"):  # first, to see that it leaves each process with its own samples
            values[f"{case.name} interval"] = torch.stack(metric.interval())
        values[case.name] = metric.compute()
    torch.save(values, Path(folder) / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
