"""Swap strategies by class name: one trained model, five ways to forget.

python examples/swap_the_strategy.py
"""

import copy
import logging
import warnings

import lightning as L
import torch
from torch.utils.data import DataLoader

import lightning_unlearn
from lightning_unlearn import ForgettingMonitor, UnlearningDataModule
from lightning_unlearn.demo import DigitClassifier, Digits

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", category=FutureWarning)
warnings.filterwarnings("ignore", message=".*does not have many workers.*|.*no `val_dataloader`.*")
torch.set_num_threads(1)

QUIET = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
train, test = Digits(train=True), Digits(train=False)

L.seed_everything(0, verbose=False)
original = DigitClassifier()
L.Trainer(max_epochs=15, logger=False, **QUIET).fit(original, DataLoader(train, batch_size=32, shuffle=True))

print(f"{'strategy':20s} {'steps':>5s} {'forget':>8s} {'retain':>8s} {'test':>8s}")
for name in ("FineTune", "RetainSurgery", "GradientAscent", "GradientDifference", "GradientSurgery"):
    strategy = getattr(lightning_unlearn, name)()
    monitor = ForgettingMonitor(every_n_steps=2, retain_floor=0.0)
    data = UnlearningDataModule(train, forget=train.targets == 3, test=test, batch_size=64)
    module = copy.deepcopy(original)
    trainer = L.Trainer(max_steps=20, callbacks=[strategy, monitor], logger=False, **QUIET)
    trainer.fit(module, datamodule=data)
    row = monitor.history[-1]
    accuracies = (row[f"unlearn/{side}_accuracy"] for side in ("forget", "retain", "test"))
    print(f"{name:20s} {row['step']:5.0f}", *(f"{100 * accuracy:6.1f} %" for accuracy in accuracies))
