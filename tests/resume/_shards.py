"""Run as `python -m tests.resume._shards FOLDER END`, once a rank: FSDP2, saved, resumed, or neither."""

import logging
import os
import sys
import warnings
from pathlib import Path

import lightning.pytorch as L
import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from tests.resume import _law as law
from tests.resume._probes import Averaging
from tests.strategies import _fits as fits
from tests.strategies._modules import Net


class Sharded(Net):
    def configure_model(self):
        for layer in (self.net[0], self.net[2]):
            if not isinstance(next(layer.parameters()), DTensor):
                fully_shard(layer, mesh=self.device_mesh["data_parallel"])


def weights(folder, name, *, state_dir=None, distributed=False, ends_at=None, begins_at=None):
    """Whole parameters after two epochs."""
    strategy = ModelParallelStrategy(
        data_parallel_size=2, tensor_parallel_size=1, save_distributed_checkpoint=distributed
    )
    callbacks = [Averaging(state_dir=state_dir)]
    if ends_at is not None:
        callbacks.append(law.Stop(folder / name, "batch", ends_at, error=None))
    options = {**fits.QUIET, "enable_checkpointing": True, "devices": 2, "strategy": strategy}
    trainer = L.Trainer(**options, callbacks=callbacks, max_steps=-1 if ends_at is None else ends_at)
    data = law.own_data(lambda count, seed: fits.samples(count, seed))
    module = Sharded()
    trainer.fit(module, datamodule=data, ckpt_path=None if begins_at is None else folder / begins_at)
    own = callbacks[0].state["mean"]
    assert all(isinstance(t, DTensor) for t in own.tensors), "the state is not sharded as the weights are"
    return {n: p.detach().full_tensor() for n, p in module.named_parameters()}


def main(folder):
    """One rank."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    folder, rank = Path(folder), int(os.environ["LOCAL_RANK"])
    ends = {"whole": weights(folder, "whole")}
    for name, options in {
        "plain": {},
        "distributed": {"distributed": True},
        "filed": {"state_dir": str(folder / "large")},
    }.items():
        weights(folder, name, ends_at=2, **options)
        ends[name] = weights(folder, name, begins_at=name, **options)
    torch.save(ends, folder / f"{rank}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()  # or a rank may abort at exit


if __name__ == "__main__":
    main(*sys.argv[1:])
