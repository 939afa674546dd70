"""`UnlearningDataModule` under a real Trainer, whose module records what it is given."""

import os
import subprocess
import sys
from pathlib import Path

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import TensorDataset

from lightning_unlearn.data import UnlearningDataModule

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning's CombinedLoader, torch 2.15
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*`tensorboardX` has been removed"),
]


class Recorder(L.LightningModule):
    """Records, per training step, the epoch and the indices of each side."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen, self.validated = [], []

    def training_step(self, batch, batch_idx):
        sides = batch if isinstance(batch, dict) else {"retain": batch}
        self.seen.append((self.current_epoch, {side: index.tolist() for side, [index] in sides.items()}))
        return self.weight**2

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Validating(Recorder):
    def validation_step(self, batch, batch_idx):
        self.validated.append(batch[0].tolist())


def make(**arguments):
    train = TensorDataset(torch.arange(20))
    return UnlearningDataModule(train, **{"forget": [0, 1, 2], "batch_size": 4, **arguments})


def trainer_of(**arguments):
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return L.Trainer(**{"max_epochs": 3, "accelerator": "cpu", **quiet, **arguments})


def fit(data, module=None, ckpt_path=None, **arguments):
    module = module or Recorder()
    trainer_of(**arguments).fit(module, datamodule=data, ckpt_path=ckpt_path)
    return module.seen


def retain_only(seen):
    return [(epoch, sides["retain"]) for epoch, sides in seen]


def test_without_a_strategy_the_module_is_given_the_mapping():
    seen = fit(make())
    assert [epoch for epoch, _ in seen] == [0] * 5 + [1] * 5 + [2] * 5
    for _, sides in seen:
        assert {side: len(indices) for side, indices in sides.items()} == {"retain": 4, "forget": 4}
        assert set(sides["forget"]) <= {0, 1, 2}
        assert min(sides["retain"]) >= 3


def test_a_plain_fit_on_the_retain_loader_sees_the_same_batches():
    module = Recorder()
    trainer_of().fit(module, make().retain_dataloader())
    assert retain_only(module.seen) == retain_only(fit(make()))
    orders = {
        epoch: [index for at, indices in retain_only(module.seen) if at == epoch for index in indices]
        for epoch in range(3)
    }
    assert len({tuple(order) for order in orders.values()}) == 3


def test_reloading_the_loaders_changes_nothing():
    assert fit(make(), reload_dataloaders_every_n_epochs=1) == fit(make())


@pytest.mark.parametrize(("limit", "steps"), [(2, 2), (0.4, 2), (1.0, 5)])
def test_limits_cut_both_sides_alike(limit, steps):
    seen = fit(make(), limit_train_batches=limit)
    whole = fit(make())
    assert seen == [step for epoch in range(3) for step in whole[5 * epoch : 5 * epoch + steps]]


def test_fast_dev_run_takes_one_step():
    assert fit(make(), fast_dev_run=True) == fit(make())[:1]


@pytest.mark.parametrize(("overfit", "steps"), [(2, 2), (0.4, 2)])
def test_overfitting_repeats_the_same_batches_in_order(overfit, steps):
    seen = fit(make(), overfit_batches=overfit)
    expected = [
        {"retain": [3, 4, 5, 6], "forget": [0, 1, 2, 0]},
        {"retain": [7, 8, 9, 10], "forget": [1, 2, 0, 1]},
    ]
    assert [sides for _, sides in seen] == expected * 3


@pytest.mark.filterwarnings("ignore:You requested to overfit but enabled train dataloader shuffling")
def test_overfitting_on_the_retain_loader_alone_sees_the_same_batches():
    module = Recorder()
    trainer_of(overfit_batches=2).fit(module, make().retain_dataloader())
    assert retain_only(module.seen) == retain_only(fit(make(), overfit_batches=2))


@pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`")
def test_without_validation_data_the_trainer_does_not_validate():
    module = Validating()
    fit(make(), module)
    assert module.validated == []


def test_validation_data_are_seen_by_the_trainer():
    module = Validating()
    fit(make(val=TensorDataset(torch.arange(5))), module, max_epochs=1, num_sanity_val_steps=0)
    assert module.validated == [[0, 1, 2, 3], [4]]


@pytest.mark.filterwarnings("ignore:.*you passed in a `val_dataloader` but have no `validation_step`")
def test_a_module_that_does_not_validate_is_not_asked_to():
    assert len(fit(make(val=TensorDataset(torch.arange(5))), max_epochs=1)) == 5


def test_testing_without_test_data_is_refused_by_lightning():
    module = Validating()
    module.test_step = module.validation_step
    trainer = trainer_of()
    trainer.test(module, datamodule=make(test=TensorDataset(torch.arange(5))), verbose=False)
    assert module.validated == [[0, 1, 2, 3], [4]]
    with pytest.raises(L.pytorch.utilities.exceptions.MisconfigurationException, match="test_dataloader"):
        trainer.test(module, datamodule=make(), verbose=False)


@pytest.mark.parametrize("num_workers", [0, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("steps", [5, 7, 8, 10])
@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks used to create")
def test_a_run_killed_and_resumed_sees_the_batches_of_one_never_killed(tmp_path, steps, num_workers):
    whole = fit(make())
    checkpoint = ModelCheckpoint(tmp_path, filename="last", every_n_train_steps=steps)
    arguments = {
        "callbacks": [checkpoint],
        "enable_checkpointing": True,
        "max_epochs": -1,
        "max_steps": steps,
    }
    before = fit(make(num_workers=num_workers), **arguments)
    assert before == whole[:steps]
    after = fit(make(num_workers=num_workers), ckpt_path=tmp_path / "last.ckpt")
    assert after == whole[steps:]


@pytest.mark.slow
def test_workers_change_nothing():
    assert fit(make(num_workers=2)) == fit(make())


@pytest.mark.slow
@pytest.mark.parametrize("overfit", [0, 2])
def test_two_processes_see_the_global_batches_of_one(tmp_path, overfit):
    script = Path(__file__).with_name("ranks.py")
    environment = {**os.environ, "PYTHONPATH": str(script.parents[2])}
    subprocess.run([sys.executable, script, tmp_path, str(overfit)], check=True, env=environment, timeout=120)
    (first, validated), (second, also_validated) = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    merged = [
        (epoch, {side: interleave(one[side], other[side]) for side in one})
        for (epoch, one), (_, other) in zip(first, second, strict=True)
    ]
    assert merged == fit(make(batch_size=8), max_epochs=2, overfit_batches=overfit)
    assert sorted(validated + also_validated) == [0, 0, 1, 1, 2, 2, 3, 3]


def interleave(one, other):
    return [index for pair in zip(one, other, strict=True) for index in pair]
