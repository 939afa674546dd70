"""Run as `python -m tests.monitor._ranks FOLDER`, once a rank: monitored runs, and what each rank has decided."""

import logging
import sys
import warnings
from pathlib import Path

import lightning.pytorch as L
import torch
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import TensorDataset

from lightning_unlearn import ForgettingMonitor, GradientAscent, GradientDifference, UnlearningDataModule
from tests.monitor._setups import Clouds, clouds, state
from tests.strategies._fits import fit


def first(data, count):
    return TensorDataset(*(tensor[:count] for tensor in data.tensors))


RETAIN, TEST = clouds(7, 1, classes=(0, 1)), clouds(5, 3, classes=(0, 1))  # 14 and 10 samples
ONE_CLASS = clouds(9, 2, classes=(2,))
RUNS = {
    "target": (ONE_CLASS, lambda: GradientDifference(alpha=1.0), {"target": 0.2, "retain_floor": 0.0}),
    "one-sample": (
        first(ONE_CLASS, 1),
        lambda: GradientDifference(alpha=1.0),
        {"target": None, "retain_floor": 0.0},
    ),
    "collapse": (ONE_CLASS, lambda: GradientAscent(), {"target": None, "retain_floor": 0.95}),
}


class Still(Clouds):
    """Without dropout and batch statistics, which see another batch on every rank."""

    def on_train_epoch_start(self):
        self.norm.eval()
        self.dropout.eval()


def monitored(name, **trainer):
    """One run in float64; (history, why it stopped, weights, steps)."""
    forget, make, arguments = RUNS[name]
    batch_size = 8 // trainer.get("devices", 1)
    data = UnlearningDataModule(RETAIN, forget, test=TEST, batch_size=batch_size, seed=3)
    monitor = ForgettingMonitor(every_n_steps=1, **arguments)
    module = Still(lr=0.1)
    made: L.Trainer = fit(module, data, make(), monitor, max_epochs=12, **trainer)
    return monitor.history, monitor.stopped, state(module), made.global_step


def main(folder):
    """One rank."""
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    results = {name: monitored(name, strategy=DDPStrategy(), devices=2) for name in RUNS}
    torch.save(results, Path(folder) / f"{torch.distributed.get_rank()}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()  # or a rank may abort at exit


if __name__ == "__main__":
    main(sys.argv[1])
