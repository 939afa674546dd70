"""What is trained again and what is not."""

import random
from functools import partial

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch.utils.data import Subset

from lightning_unlearn import ConfigurationError, UnlearningDataModule
from lightning_unlearn.reference import _stamp, read_stamp, retrain_references
from tests.reference._modules import Mapped, Plain, Slow, Small, samples, sides, trainer

pytestmark = pytest.mark.filterwarnings("ignore:.*no `val_dataloader`:UserWarning")  # as in test_train.py
short = trainer(max_epochs=1)


def test_what_is_there_is_not_trained_again(trained):
    paths = retrain_references(Small, sides(), short, count=2)
    assert trained == [1, 2]
    content = [path.read_bytes() for path in paths]
    assert retrain_references(Small, sides(), short, count=3)[:2] == paths
    assert trained == [1, 2, 3]
    assert [path.read_bytes() for path in paths] == content
    assert [read_stamp(path).seed for path in paths] == [1, 2]


@pytest.mark.parametrize(
    "call",
    [
        partial(retrain_references, Small, sides(), trainer(max_epochs=1, logger=True)),
        partial(retrain_references, Small, sides(), short, processes=3, threads=2),
        partial(retrain_references, Small, sides(forget_batch_size=3, seed=9, epoch="forget"), short),
        # the same samples are forgotten, said in another way, and the data are in another order
        partial(retrain_references, Small, sides(forget=torch.arange(36) % 6 == 0), short),
        partial(
            retrain_references,
            Small,
            sides(Subset(samples(), range(35, -1, -1)), forget=[35 - i for i in range(0, 36, 6)]),
            short,
        ),
    ],
)
def test_what_does_not_matter_hits(trained, call):
    (path,) = retrain_references(Small, sides(), short, count=1)
    assert call(count=1) == [path]
    assert trained == [1]


@pytest.mark.parametrize(
    "call",
    [
        partial(retrain_references, Small, sides(), short, seeds=[2]),
        partial(retrain_references, Small, sides(forget=[1]), short, seeds=[1]),
        partial(retrain_references, Small, sides(samples(seed=1)), short, seeds=[1]),
        partial(retrain_references, Small, sides(batch_size=7), short, seeds=[1]),
        partial(retrain_references, partial(Small, lr=0.2), sides(), short, seeds=[1]),
        partial(retrain_references, Slow, sides(), short, seeds=[1]),
        partial(retrain_references, Small, sides(), trainer(max_epochs=2), seeds=[1]),
        partial(retrain_references, Small, sides(), short, seeds=[1], data_key="mine"),
        partial(retrain_references, Small, sides(), short, seeds=[1], config={"mine": 1}),
    ],
)
def test_what_matters_misses(trained, call):
    (path,) = retrain_references(Small, sides(), short, count=1)
    assert call() != [path]
    assert len(trained) == 2


def test_another_source_of_the_module_and_another_format_miss(trained, monkeypatch):
    made = {*retrain_references(Small, sides(), short, count=1)}
    monkeypatch.setattr("inspect.getsource", lambda _: "another source")
    made |= {*retrain_references(Small, sides(), short, count=1)}
    monkeypatch.setattr(_stamp, "FORMAT", "lightning-unlearn reference 2")
    made |= {*retrain_references(Small, sides(), short, count=1)}
    assert len(made) == len(trained) == 3


def test_a_name_for_the_data_spares_reading_them(trained, monkeypatch):
    monkeypatch.setattr("lightning_unlearn.reference._known.data_digest", lambda _: pytest.fail("read"))
    call = partial(retrain_references, Small, trainer=short, count=1)
    first = call(data=sides(), data_key="mine")
    assert call(data=sides(), data_key="mine") == first
    assert call(data=sides(), data_key="yours") != first
    assert call(data=sides(forget=[1, 2, 3, 4, 5, 7]), data_key="mine") != first
    assert len(trained) == 3


def existing():
    """A data module that cannot be pickled, split."""
    inner = L.LightningDataModule.from_datasets(samples(), batch_size=8)
    return UnlearningDataModule.from_datamodule(inner, forget=[0, 6, 12, 18, 24, 30], pin_memory=False)


@pytest.mark.parametrize("data", [existing, partial(sides, val=samples(6))])
def test_the_data_module_may_be_made_in_each_process(trained, data):
    assert len(retrain_references(Small, data, short, count=1)) == 1
    assert sum(len(inputs) for _, inputs in Small.seen) == 30


def test_the_user_s_objects_and_random_streams_are_left_as_they_are(trained):
    data = UnlearningDataModule.from_datamodule(Plain(), forget=[1], pin_memory=False)
    retrain_references(Small, data, short, count=1)
    assert data.trainer is data._inner.trainer is data._split is None
    states = random.getstate(), torch.get_rng_state()
    retrain_references(Small, data, short, count=1)
    assert trained == [1]
    assert random.getstate() == states[0]
    assert torch.equal(torch.get_rng_state(), states[1])


def test_a_mapping_of_two_loaders_has_a_retain_side(trained):
    retrain_references(Small, Mapped(), short, count=1)
    assert sum(len(inputs) for _, inputs in Small.seen) == 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "`count` must be a positive integer, found 0."),
        ({"count": 2.0}, "`count` must be a positive integer, found 2.0."),
        ({"seeds": []}, "`seeds` must be integers from 0 to 4294967295, found none."),
        ({"seeds": [1, -1, 2**32]}, "found [-1, 4294967296]."),
        ({"seeds": [3, 1, 3]}, "`seeds` must be distinct, found 3 more than once."),
        ({"seeds": [3, 1], "count": 3}, "`count` must be the number of `seeds`, 2, found 3."),
        ({"processes": 0}, "`processes` must be a positive integer, found 0."),
        ({"threads": -1}, "`threads` must be a positive integer, found -1."),
        ({"output": "file/below"}, "The output folder must be writable, found file/below"),
        ({"data": Plain()}, "`data` must have a retain side, found Plain without."),
        ({"data": L.LightningDataModule()}, "`data` must have a retain side, found LightningDataModule"),
        ({"trainer": trainer(strategy="ddp", devices=2)}, "`trainer` must train on one device, found DDPStrategy on 2."),
        ({"trainer": trainer(callbacks=[EarlyStopping("loss")])}, "`trainer`, `callbacks` must be made of plain values"),
        ({"module": lambda: Small()}, "must be things that can be pickled"),
        ({"module": sides}, "`module` must make a LightningModule, found that it makes UnlearningDataModule"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_is_trained(trained, tmp_path, options, message):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError) as caught:
        retrain_references(**{"module": Small, "data": sides(), "trainer": short, **options})
    assert message in str(caught.value)
    assert trained == []


@pytest.mark.parametrize("content", [b"half", "other"])
def test_a_file_that_is_not_the_reference_of_its_name_is_refused(trained, content):
    one, other = retrain_references(Small, sides(), short, count=2)
    one.write_bytes(other.read_bytes() if content == "other" else content)
    with pytest.raises(ConfigurationError, match=r"reference-1-\w+\.ckpt.*Remove it"):
        retrain_references(Small, sides(), short, count=2)
    assert trained == [1, 2]
