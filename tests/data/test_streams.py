"""The two loaders of `UnlearningDataModule`, without a Trainer."""

import copy
import pickle
from dataclasses import dataclass
from math import ceil
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.pytorch.utilities.combined_loader import CombinedLoader
from torch import Tensor
from torch.utils.data import TensorDataset, default_collate

from lightning_unlearn.data import UnlearningDataModule

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*LeafSpec:FutureWarning"
)  # Lightning's CombinedLoader, torch 2.15


def numbers(n):
    return TensorDataset(torch.arange(n))


def drawn(loader, epoch=0):
    loader.sampler.set_epoch(epoch)
    return [batch.tolist() for [batch] in loader]


def on(data, replicas, rank, overfit_batches=0):
    """Attach what the data module asks of a Trainer."""
    strategy = SimpleNamespace(distributed_sampler_kwargs={"num_replicas": replicas, "rank": rank})
    data.trainer = SimpleNamespace(strategy=strategy, overfit_batches=overfit_batches)
    return data


few = st.integers(1, 7)


@settings(deadline=None, max_examples=50)
@given(n=st.integers(2, 40), forget=st.integers(1, 39), sizes=st.tuples(few, few), epoch=st.integers(0, 3))
@pytest.mark.parametrize("side", ["retain", "forget"])
def test_both_sides_are_equally_long_and_full_and_one_is_visited_whole(side, n, forget, sizes, epoch):
    forget = min(forget, n - 1)
    retain_size, forget_size = sizes
    data = UnlearningDataModule(
        numbers(n), list(range(forget)), batch_size=retain_size, forget_batch_size=forget_size, epoch=side
    )
    retain, unlearn = drawn(data.retain_dataloader(), epoch), drawn(data.forget_dataloader(), epoch)
    whole = {"retain": (n - forget, retain_size), "forget": (forget, forget_size)}[side]
    assert len(retain) == len(unlearn) == ceil(whole[0] / whole[1])
    assert all(len(batch) == retain_size for batch in retain)
    assert all(len(batch) == forget_size for batch in unlearn)
    visited = {index for batch in (retain if side == "retain" else unlearn) for index in batch}
    assert visited == (set(range(forget, n)) if side == "retain" else set(range(forget)))
    assert max(map(max, unlearn)) < forget <= min(map(min, retain))


@pytest.mark.parametrize("replicas", [2, 3])
def test_the_global_batches_do_not_depend_on_the_number_of_devices(replicas):
    def data(batch_size):
        return UnlearningDataModule(numbers(50), list(range(7)), batch_size=batch_size, seed=3)

    for make in (UnlearningDataModule.retain_dataloader, UnlearningDataModule.forget_dataloader):
        one = drawn(make(data(4 * replicas)), epoch=2)
        shares = [drawn(make(on(data(4), replicas, rank)), epoch=2) for rank in range(replicas)]
        for whole, *parts in zip(one, *shares, strict=True):
            assert [index for together in zip(*parts, strict=True) for index in together] == whole


def test_epochs_differ_and_seeds_are_reproducible():
    def orders(seed, epoch):
        data = UnlearningDataModule(numbers(30), list(range(10)), batch_size=5, seed=seed)
        return drawn(data.retain_dataloader(), epoch), drawn(data.forget_dataloader(), epoch)

    assert orders(0, 0) == orders(0, 0)
    for other in (orders(0, 1), orders(1, 0)):
        assert other[0] != orders(0, 0)[0]
        assert other[1] != orders(0, 0)[1]


def test_sides_of_the_same_size_have_different_orders():
    data = UnlearningDataModule(numbers(16), forget=numbers(16), batch_size=16)
    assert drawn(data.retain_dataloader()) != drawn(data.forget_dataloader())


def test_the_forget_side_goes_through_its_cycles_in_changing_order():
    data = UnlearningDataModule(numbers(90), list(range(8)), batch_size=8)
    batches = drawn(data.forget_dataloader())
    assert all(sorted(batch) == list(range(8)) for batch in batches)
    assert len({tuple(batch) for batch in batches}) > 8


def test_iterating_leaves_the_global_random_stream_alone():
    data = UnlearningDataModule(numbers(10), [1, 2], batch_size=2, val=numbers(3), test=numbers(3))
    before = torch.get_rng_state()
    list(data.train_dataloader())
    for loader in (data.val_dataloader(), data.test_dataloader()):
        list(loader)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_train_loader_yields_the_two_sides_side_by_side():
    data = UnlearningDataModule(numbers(10), [1, 2], batch_size=3)
    loader = data.train_dataloader()
    assert isinstance(loader, CombinedLoader)
    pairs = [{side: batch.tolist() for side, [batch] in pair.items()} for pair, _, _ in loader]
    assert [pair["retain"] for pair in pairs] == drawn(data.retain_dataloader())
    assert [pair["forget"] for pair in pairs] == drawn(data.forget_dataloader())


@dataclass
class Batch:
    image: Tensor
    label: Tensor


def as_dict(samples):
    image, label = default_collate(samples)
    return {"image": image, "label": label}


def as_dataclass(samples):
    return Batch(*default_collate(samples))


@pytest.mark.parametrize(
    ("collate_fn", "label"),
    [
        (None, lambda batch: batch[1]),
        (as_dict, lambda batch: batch["label"]),
        (as_dataclass, lambda b: b.label),
    ],
    ids=["tuple", "dict", "dataclass"],
)
def test_batches_may_have_any_structure(collate_fn, label):
    train = TensorDataset(torch.randn(9, 2), torch.arange(9) % 3)
    data = UnlearningDataModule(train, forget_class=2, batch_size=3, collate_fn=collate_fn)
    for pair, _, _ in data.train_dataloader():
        assert label(pair["forget"]).tolist() == [2, 2, 2]
        assert 2 not in label(pair["retain"])


def test_validation_and_test_sets_are_read_in_order():
    data = UnlearningDataModule(numbers(5), [1], val=numbers(3), test=numbers(4), batch_size=2)
    assert [batch.tolist() for [batch] in data.val_dataloader()] == [[0, 1], [2]]
    assert [batch.tolist() for [batch] in data.test_dataloader()] == [[0, 1], [2, 3]]
    loader = data.test_dataloader()
    assert UnlearningDataModule(numbers(5), [1], test=loader).test_dataloader() is loader


@pytest.mark.parametrize("replicas", [1, 2])
def test_when_overfitting_the_order_is_fixed_and_no_batch_is_short(replicas):
    data = on(UnlearningDataModule(numbers(8), [0, 1], batch_size=2), replicas, 0, overfit_batches=1)
    retain = [batch.tolist() for [batch] in data.retain_dataloader()]
    forget = [batch.tolist() for [batch] in data.forget_dataloader()]
    assert [index for batch in retain for index in batch][:6] == [2, 3, 4, 5, 6, 7]
    assert forget == [[0, 1]] * len(retain)
    assert len(retain) % replicas == 0


def test_a_loader_resumes_after_the_batches_it_handed_out():
    data = UnlearningDataModule(numbers(20), [0], batch_size=4)
    whole = drawn(data.retain_dataloader(), epoch=2)
    loader = data.retain_dataloader()
    loader.sampler.set_epoch(2)
    batches = iter(loader)
    next(batches)
    next(batches)
    state = loader.state_dict()
    assert state == {"epoch": 2, "batches": 2}

    resumed = data.retain_dataloader()
    resumed.load_state_dict(state)
    batches = iter(resumed)
    resumed.sampler.set_epoch(2)
    assert [next(batches)[0].tolist()] == whole[2:3]
    assert resumed.state_dict() == {"epoch": 2, "batches": 3}
    assert [batch.tolist() for [batch] in batches] == whole[3:]
    assert drawn(resumed, epoch=2) == whole


def test_the_state_of_another_epoch_leaves_nothing_out():
    data = UnlearningDataModule(numbers(20), [0], batch_size=4)
    loader = data.retain_dataloader()
    loader.load_state_dict({"epoch": 0, "batches": 2})
    assert drawn(loader, epoch=1) == drawn(data.retain_dataloader(), epoch=1)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda data: pickle.loads(pickle.dumps(data))])
def test_a_copy_serves_its_own_data(duplicate):
    data = UnlearningDataModule(numbers(10), [1, 2], val=numbers(3), batch_size=3)
    other = duplicate(data)
    assert drawn(other.retain_dataloader()) == drawn(data.retain_dataloader())
    other.val = numbers(1)
    assert [len(batch) for [batch] in other.val_dataloader()] == [1]


def test_an_iterator_under_way_can_be_copied_with_its_trainer():
    data = UnlearningDataModule(numbers(10), [1, 2], batch_size=3)
    batches = iter(data.retain_dataloader())
    next(batches)
    assert len(list(copy.deepcopy(batches))) == 3


def test_printing_shows_the_sizes():
    assert str(UnlearningDataModule(numbers(10), [1, 2])) == (
        "UnlearningDataModule(forget: 2 samples, retain: 8 samples)"
    )


@pytest.mark.slow
def test_workers_load_the_same_batches_with_seeds_that_depend_on_the_epoch_only():
    data = UnlearningDataModule(Noisy(12), [0, 1], batch_size=2, num_workers=2)
    loader = data.retain_dataloader()
    list(loader)
    loader.sampler.set_epoch(1)
    fresh = data.retain_dataloader()
    fresh.sampler.set_epoch(1)
    for one, other in zip(loader, fresh, strict=True):
        assert torch.equal(one, other)


class Noisy(TensorDataset):
    def __init__(self, n):
        super().__init__(torch.arange(n))

    def __getitem__(self, index):
        return self.tensors[0][index] + torch.rand(())
