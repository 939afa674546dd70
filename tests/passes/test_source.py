"""`Source`: every sample of a side once, in evaluation mode, with nothing left behind."""

import lightning.pytorch as L
import pytest
import torch
from torch import nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from lightning_unlearn import UnlearningStrategy
from lightning_unlearn.passes import Source
from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies._modules import Net, Traces


class Preparing(UnlearningStrategy):
    """Runs `work(module, forget, retain)` beforehand; then trains on the retain side alone."""

    def __init__(self, work, **kwargs):
        super().__init__(**kwargs)
        self.work, self.result, self.times = work, None, 0

    def prepare(self, module, forget, retain):
        self.result = self.work(module, forget, retain)
        self.times += 1

    def direction(self, forget, retain):
        return retain.gradient()


def indexed(count):
    return TensorDataset(torch.arange(count).double().unsqueeze(1).expand(-1, 4), torch.zeros(count).long())


class Counts(Net):
    """Takes the index data set of `indexed`."""

    def forward(self, inputs):
        return self.net(inputs / 100)


def visited(loader, **trainer):
    """First inputs of every batch that `for_each` hands out."""

    def work(module, forget, retain):
        batches = []
        forget.for_each(lambda batch: batches.append(batch[0][:, 0].long().tolist()))
        return batches

    strategy = Preparing(work)
    fits.fit(
        Counts(), {"retain": DataLoader(indexed(8), 4), "forget": loader}, strategy, max_epochs=1, **trainer
    )
    assert strategy.times == 1
    return strategy.result


CHOSEN = [9, 1, 4, 4, 7]
LOADERS = {
    "sequential": (lambda: DataLoader(indexed(10), 4, generator=torch.Generator()), range(10)),
    "shuffled": (lambda: DataLoader(indexed(10), 4, shuffle=True, generator=torch.Generator()), range(10)),
    "drop-last": (lambda: DataLoader(indexed(10), 4, drop_last=True, generator=torch.Generator()), range(10)),
    "subset-random": (
        lambda: DataLoader(
            indexed(10), 2, sampler=SubsetRandomSampler([9, 1, 4]), generator=torch.Generator()
        ),
        [1, 4, 9],
    ),
    "list-as-sampler": (
        lambda: DataLoader(indexed(10), 2, sampler=CHOSEN, generator=torch.Generator()),
        [1, 4, 7, 9],
    ),
    "replacement": (
        lambda: DataLoader(
            indexed(10),
            2,
            sampler=RandomSampler(indexed(10), replacement=True, num_samples=30),
            generator=torch.Generator(),
        ),
        range(10),
    ),
    "batch-sampler": (
        lambda: DataLoader(
            indexed(10),
            batch_sampler=BatchSampler(SequentialSampler(indexed(10)), 4, drop_last=True),
            generator=torch.Generator(),
        ),
        range(10),
    ),
    "own-batch-sampler": (
        lambda: DataLoader(indexed(10), batch_sampler=[[3, 1], [8], [1]], generator=torch.Generator()),
        [1, 3, 8],
    ),
}


@pytest.mark.parametrize("name", LOADERS)
def test_every_sample_of_a_side_is_seen_once_and_in_order(name):
    make, expected = LOADERS[name]
    assert [i for batch in visited(make()) for i in batch] == list(expected)


def test_batches_have_the_users_size():
    assert [
        len(b)
        for b in visited(
            DataLoader(indexed(10), 4, shuffle=True, drop_last=True, generator=torch.Generator())
        )
    ] == [4, 4, 2]


def test_a_loader_whose_data_set_makes_the_batches_gives_the_same_batches():
    ready = [[torch.full((3, 4), float(i)).double(), torch.zeros(3).long()] for i in range(4)]
    assert visited(DataLoader(ready, batch_size=None, generator=torch.Generator())) == [
        [i] * 3 for i in range(4)
    ]


def test_an_iterable_data_set_is_run_through_once():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(indexed(6))

    assert [i for b in visited(DataLoader(Stream(), 2, generator=torch.Generator())) for i in b] == list(
        range(6)
    )


@pytest.mark.parametrize(
    ("limit", "expected"),
    [({"limit_train_batches": 2}, 2), ({"limit_train_batches": 0.5}, 2), ({"fast_dev_run": 1}, 1)],
)
def test_limits_of_the_trainer_hold(limit, expected):
    assert len(visited(DataLoader(indexed(16), 4, generator=torch.Generator()), **limit)) == expected


def test_a_fixed_random_choice_of_samples():
    def work(module, forget, retain):
        loader = DataLoader(indexed(50), 4, shuffle=True, generator=torch.Generator())
        found = []
        for _ in range(2):
            source = Source(strategy._attached.trainer, module, loader, "some", limit=4).some(6)
            batches = []
            source.for_each(lambda batch, into=batches: into.extend(batch[0][:, 0].long().tolist()))
            found.append((source.samples, batches))
        return found

    strategy = Preparing(work)
    fits.fit(Net(), fits.sides(), strategy)
    (count, first), (_, second) = strategy.result
    assert first == second
    assert count == len(set(first)) == 6
    assert first == sorted(first) != list(range(6))


def test_sums_are_over_all_samples():
    def work(module, forget, retain):
        return retain.sum(lambda b: {"x": b[0].sum(0), "n": torch.tensor(len(b[0]))})

    strategy = Preparing(work)
    loaders = fits.sides(retain=18)
    fits.fit(Net(), loaders, strategy)
    inputs = loaders["retain"].dataset.tensors[0]
    assert torch.allclose(strategy.result["x"], inputs.sum(0), rtol=0, atol=1e-14)
    assert int(strategy.result["n"]) == 18


def test_the_module_is_in_evaluation_mode_and_every_part_gets_its_own_back():
    def work(module, forget, retain):
        module.net[1].eval()  # the user keeps batch norm frozen
        forget.for_each(lambda batch: modes.append(any(m.training for m in module.modules())))
        return [name for name, m in module.named_modules() if not m.training]

    modes = []
    strategy = Preparing(work)
    fits.fit(Traces(), fits.shuffled_sides(), strategy)
    assert modes == [False] * 3
    assert strategy.result == ["net.1"]


def test_modes_come_back_after_an_exception():
    def work(module, forget, retain):
        def visit(batch):
            raise RuntimeError("as planned")

        before = fits.streams()
        with pytest.raises(RuntimeError, match="as planned"):
            forget.for_each(visit)
        return all(m.training for m in module.modules()), before == fits.streams()

    strategy = Preparing(work)
    fits.fit(Traces(), fits.shuffled_sides(), strategy)
    assert strategy.result == (True, True)


def test_batches_go_through_the_users_transfer_hooks():
    class Hooked(Net):
        def on_after_batch_transfer(self, batch, dataloader_idx):
            return [batch[0] + 100, batch[1]]

    def work(module, forget, retain):
        return forget.sum(lambda b: {"least": b[0].min()})

    strategy = Preparing(work)
    fits.fit(Hooked(), fits.sides(), strategy)
    assert float(strategy.result["least"]) > 3 * 90


class DataHook(L.LightningDataModule):
    def train_dataloader(self):
        return fits.sides()

    def on_before_batch_transfer(self, batch, dataloader_idx):
        assert not isinstance(batch, dict)
        return [batch[0] + 100, batch[1]]


def test_batches_go_through_the_datamodules_transfer_hooks():
    strategy = Preparing(lambda module, forget, retain: forget.sum(lambda b: {"least": b[0].min()}))
    fits.fit(Net(), DataHook(), strategy)
    assert float(strategy.result["least"]) > 3 * 90


def test_the_precision_of_the_trainer_acts():
    strategy = Preparing(lambda module, forget, retain: forget.sum(lambda b: {"out": module(b[0]).sum(0)}))
    fits.fit(Net(dtype=torch.float32), fits.sides(dtype=torch.float32), strategy, precision="bf16-mixed")
    assert strategy.result["out"].dtype == torch.bfloat16


# ---- no trace ----------------------------------------------------------------------------------------------------
def look(module, forget, retain):
    for source in (forget, retain):
        source.sum(lambda batch: {"out": nn.functional.dropout(module(batch[0])).sum()})


def test_looking_at_everything_leaves_no_trace():
    laws.leaves_no_trace(lambda: Preparing(look))


def sampled(make_sampler):
    """Loaders whose retain side has a sampler of the user's, with its own stream or on the global one."""

    def data():
        loaders = fits.shuffled_sides()
        return loaders | {"retain": DataLoader(fits.samples(20, 1, torch.float32), 4, sampler=make_sampler())}

    return data


def own_stream():
    return torch.Generator().manual_seed(3)


SAMPLERS = {
    "subset-global": lambda: SubsetRandomSampler(range(10)),
    "subset-own": lambda: SubsetRandomSampler(range(10), generator=own_stream()),
    "weighted-global": lambda: WeightedRandomSampler([1.0] * 20, 12),
    "weighted-own": lambda: WeightedRandomSampler([1.0] * 20, 12, generator=own_stream()),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_looking_at_a_sampled_side_leaves_no_trace(name):
    laws.leaves_no_trace(lambda: Preparing(look), data=sampled(SAMPLERS[name]))


def test_a_loader_with_persistent_workers_still_trains():
    loaders = {
        side: DataLoader(
            loader.dataset, 4, num_workers=1, persistent_workers=True, generator=torch.Generator()
        )
        for side, loader in fits.sides().items()
    }
    run = fits.fit(Net(), loaders, Preparing(look), max_epochs=2)
    assert run.global_step == 10


def test_progress_is_shown_where_the_trainer_shows_it(capsys):
    def work(module, forget, retain):
        return [source._shows_progress for source in (forget, retain)]

    for shown in (False, True):
        strategy = Preparing(work)
        fits.fit(Net(), fits.sides(), strategy, enable_progress_bar=shown, max_steps=1)
        assert strategy.result == [shown, shown]
    capsys.readouterr()


def test_prepare_runs_once_a_fit_and_again_for_the_next():
    strategy = Preparing(look)
    for _ in range(2):
        fits.fit(Net(), fits.sides(), strategy)
    assert strategy.times == 2


def test_a_source_knows_the_size_of_a_full_batch():
    strategy = Preparing(lambda module, forget, retain: [forget.batch_size, retain.batch_size])
    ready = [[torch.zeros(3, 4).double(), torch.zeros(3).long()]]
    fits.fit(Net(), {"retain": DataLoader(indexed(10), 4), "forget": ready}, strategy, max_epochs=1)
    assert strategy.result == [None, 4]


def test_one_process_decides_and_writes_for_itself():
    strategy = Preparing(
        lambda module, forget, _: [forget.everywhere(True), forget.everywhere(False), forget.writes]
    )
    fits.fit(Net(), fits.sides(), strategy, max_epochs=1)
    assert strategy.result == [True, False, True]
