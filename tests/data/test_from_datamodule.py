"""Splitting a data module that the user has already, and building one from the command line."""

import re

import lightning as L
import pytest
import torch
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from lightning_unlearn.data import UnlearningDataModule
from lightning_unlearn.errors import ConfigurationError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning's CombinedLoader, torch 2.15
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
]
TRAIN = TensorDataset(torch.arange(20), torch.arange(20) % 4)


def as_dict(samples):
    return {"index": torch.stack([index for index, _ in samples])}


class Existing(L.LightningDataModule):
    """Records the hooks called; its data exist from `setup` to `teardown`."""

    def __init__(self, **loading):
        super().__init__()
        self.calls, self.train = [], None
        self.loading = {"batch_size": 3, "shuffle": True, "collate_fn": as_dict, **loading}

    def prepare_data(self):
        self.calls.append("prepare_data")

    def setup(self, stage):
        self.calls.append(f"setup {getattr(stage, 'value', stage)} with {type(self.trainer).__name__}")
        self.train = TRAIN

    def teardown(self, stage):
        self.calls.append(f"teardown {getattr(stage, 'value', stage)}")
        self.train = None

    def train_dataloader(self):
        return DataLoader(self.train, **self.loading)


class Full(Existing):
    def val_dataloader(self):
        return DataLoader(torch.arange(3))

    def on_after_batch_transfer(self, batch, dataloader_idx):
        self.calls.append("transfer")
        return batch

    def state_dict(self):
        return {"kept": 1}


class Module(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = []

    def training_step(self, batch, batch_idx):
        self.seen.append({side: half["index"].tolist() for side, half in batch.items()})
        return self.weight**2

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(data, **arguments):
    module = Module()
    quiet = dict.fromkeys(
        ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    L.Trainer(max_epochs=1, accelerator="cpu", **quiet, **arguments).fit(module, datamodule=data)
    return module.seen


def ready(inner, **arguments):
    data = UnlearningDataModule.from_datamodule(inner, **{"forget": [1, 2], **arguments})
    data.setup("fit")
    return data


def test_the_loader_of_the_data_module_is_copied():
    data = ready(Existing(), forget_class=None)
    loader = data.retain_dataloader()
    assert (data.batch_size, loader.collate_fn, loader.num_workers) == (3, as_dict, 0)
    assert data.forget_indices.tolist() == [1, 2]


@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true but no accelerator")
def test_arguments_given_come_before_those_of_the_loader():
    data = ready(
        Existing(), batch_size=5, forget_batch_size=2, num_workers=1, pin_memory=True, collate_fn=list
    )
    retain, forget = data.retain_dataloader(), data.forget_dataloader()
    assert (retain.batch_size, forget.batch_size) == (5, 2)
    assert (retain.num_workers, retain.pin_memory, retain.collate_fn) == (1, True, list)


@pytest.mark.parametrize("num_workers", [None, 0])
def test_options_of_workers_are_copied_while_there_are_workers(num_workers):
    existing = Existing(num_workers=2, prefetch_factor=3, persistent_workers=True, timeout=9)
    loader = ready(existing, num_workers=num_workers).retain_dataloader()
    expected = (2, 3, True, 9) if num_workers is None else (0, None, False, 0)
    found = (loader.num_workers, loader.prefetch_factor, loader.persistent_workers, loader.timeout)
    assert found == expected


def test_the_batches_are_those_of_the_dataset_given_directly():
    direct = UnlearningDataModule(TRAIN, forget_class=3, batch_size=3, collate_fn=as_dict)
    split = UnlearningDataModule.from_datamodule(Existing(), forget_class=3)
    assert fit(split) == fit(direct)
    assert split.forget_class == 3


def test_the_hooks_of_the_data_module_are_called_in_its_trainer():
    existing = Existing()
    data = UnlearningDataModule.from_datamodule(existing, forget=[1])
    fit(data)
    assert existing.calls == ["prepare_data", "setup fit with Trainer", "teardown fit"]
    fit(data)
    assert existing.calls[3:] == ["setup fit with Trainer", "teardown fit"]


def test_preparing_and_setting_up_twice_happens_once():
    existing = Existing()
    data = UnlearningDataModule.from_datamodule(existing, forget=[1])
    for _ in range(2):
        data.prepare_data()
        data.setup("fit")
    assert existing.calls == ["prepare_data", "setup fit with NoneType"]


def test_what_the_data_module_does_not_define_stays_undefined():
    bare = UnlearningDataModule.from_datamodule(Existing(), forget=[1])
    full = UnlearningDataModule.from_datamodule(Full(), forget=[1])
    for name in ("val_dataloader", "on_after_batch_transfer", "state_dict"):
        assert not is_overridden(name, bare)
        assert is_overridden(name, full)
    for name in ("test_dataloader", "predict_dataloader", "on_before_batch_transfer"):
        assert not is_overridden(name, full)
    assert full.state_dict() == {"kept": 1}
    assert [batch.tolist() for batch in full.val_dataloader()] == [[0], [1], [2]]


@pytest.mark.filterwarnings("ignore:.*you passed in a `val_dataloader` but have no `validation_step`")
def test_the_transfer_hook_of_the_data_module_is_used():
    existing = Full()
    steps = len(fit(UnlearningDataModule.from_datamodule(existing, forget=[1])))
    assert existing.calls.count("transfer") == steps


def test_validation_and_test_data_given_come_before_those_of_the_data_module():
    data = UnlearningDataModule.from_datamodule(
        Full(),
        forget=[1],
        batch_size=2,
        val=TensorDataset(torch.arange(2)),
        test=TensorDataset(torch.arange(3)),
    )
    assert [batch.tolist() for [batch] in data.val_dataloader()] == [[0, 1]]
    assert [batch.tolist() for [batch] in data.test_dataloader()] == [[0, 1], [2]]


def test_before_setup_there_is_nothing_to_see_and_after_teardown_there_is():
    data = UnlearningDataModule.from_datamodule(Existing(), forget=[1])
    assert str(data).endswith("(not set up)")
    for read in (lambda: data.forget_set, lambda: data.batch_size, data.retain_dataloader):
        with pytest.raises(ConfigurationError, match=re.escape('Call `setup("fit")` first.')):
            read()
    fit(data)
    assert len(data.forget_set) == 1
    assert len(data.retain_set) == 19


class Endless(IterableDataset):
    def __iter__(self):
        return iter([])


@pytest.mark.parametrize(
    ("loader", "found"),
    [
        ({"side": DataLoader(TRAIN)}, "dict"),
        (DataLoader(Endless()), "the iterable dataset Endless"),
        (DataLoader(TRAIN, sampler=WeightedRandomSampler([1.0], 20)), "the sampler WeightedRandomSampler"),
        (DataLoader(TRAIN, sampler=RandomSampler(TRAIN, replacement=True)), "with replacement"),
        (DataLoader(TRAIN, sampler=RandomSampler(TRAIN, num_samples=5)), "a number of samples of its own"),
        (
            DataLoader(
                TRAIN, batch_sampler=type("Odd", (BatchSampler,), {})(SequentialSampler(TRAIN), 2, False)
            ),
            "the batch sampler Odd",
        ),
        (DataLoader(TRAIN, batch_size=None), "the batch sampler NoneType"),
    ],
)
def test_a_loader_that_cannot_be_split_is_refused_with_the_remedy(loader, found):
    existing = Existing()
    existing.train_dataloader = lambda: loader
    with pytest.raises(ConfigurationError, match=re.escape(found)) as caught:
        ready(existing)
    assert "Pass two datasets instead" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"forget": None}, "exactly one of them, found none."),
        ({"batch_size": 0}, "`batch_size` must be an integer of at least 1, found 0."),
        ({"epoch": "both"}, '`epoch` must be "retain" or "forget"'),
        ({"forget": None, "forget_fraction": 2.0}, "both excluded, found 2.0."),
    ],
)
def test_what_needs_no_data_is_refused_at_once(arguments, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        UnlearningDataModule.from_datamodule(Existing(), **{"forget": [1], **arguments})


def test_what_needs_data_is_refused_in_setup():
    data = UnlearningDataModule.from_datamodule(Existing(), forget=[20])
    with pytest.raises(ConfigurationError, match="`forget` must hold indices from 0 to 19, found 20"):
        data.setup("fit")


DATASET = "lightning.pytorch.demos.boring_classes.RandomDataset"


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--data.forget=[1, 0]", [0, 1]),
        ("--data.forget=[false, true, false, false, true]", [1, 4]),
        ("--data.forget_fraction=0.4", 2),
    ],
)
def test_it_is_built_from_the_command_line(option, expected):
    jsonargparse = pytest.importorskip("jsonargparse")
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(UnlearningDataModule, "data")
    config = parser.parse_args(
        [f"--data.train={DATASET}", "--data.train.size=2", "--data.train.length=5", option]
    )
    indices = instantiate(parser, config).data.forget_indices.tolist()
    assert indices == expected or len(indices) == expected


def test_splitting_is_a_class_path():
    jsonargparse = pytest.importorskip("jsonargparse")
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(L.LightningDataModule, "data")
    config = parser.parse_args(
        [
            f"--data={UnlearningDataModule.__module__}.UnlearningDataModule.from_datamodule",
            "--data.datamodule=lightning.pytorch.demos.boring_classes.BoringDataModule",
            "--data.forget=[1, 2]",
        ]
    )
    data = instantiate(parser, config).data
    data.setup("fit")
    assert data.forget_indices.tolist() == [1, 2]


def instantiate(parser, config):
    return getattr(parser, "instantiate", parser.instantiate_classes)(config)  # renamed in jsonargparse 4.49
