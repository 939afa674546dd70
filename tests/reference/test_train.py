"""One reference: what it is trained on, what is left of it, and that an interruption changes nothing."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import lightning as L
import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import TensorDataset

from lightning_unlearn import ConfigurationError, ForgettingMonitor, GradientSurgery, UnlearningError
from lightning_unlearn.reference import Stamp, _keeper, read_stamp
from lightning_unlearn.reference._keeper import Keeper
from lightning_unlearn.reference._train import train
from tests.reference._content import without_seconds
from tests.reference._modules import Killed, Mapped, Noisy, Slow, Small, samples, sides, trainer

# Lightning: the module can validate, but not every test does
pytestmark = pytest.mark.filterwarnings("ignore:.*no `val_dataloader`:UserWarning")

validated = partial(sides, val=samples(9, seed=5))


# ---- what it is trained on ---------------------------------------------------------------------------------------
def test_it_is_trained_on_every_retain_sample_once_an_epoch_and_on_nothing_else(made):
    made()
    retained = samples()[[i for i in range(36) if i % 6]][0]
    orders = []
    for epoch in range(4):
        batches = [inputs for e, inputs in Small.seen if e == epoch]
        assert [len(batch) for batch in batches] == [8, 8, 8, 6]
        order = [int((retained == row).all(1).nonzero()) for row in torch.cat(batches)]
        assert sorted(order) == list(range(30))
        orders.append(tuple(order))
    assert len(set(orders)) == 4


def test_the_side_that_names_the_epoch_of_unlearning_does_not_matter(made):
    assert made(data=sides(epoch="forget")) == made(data=sides(), folder="other")


def test_another_seed_has_other_weights_and_another_order(made):
    first, second = made(seed=1), made(seed=2)
    assert first != second
    assert not torch.equal(Small.seen[0][1], Small.seen[16][1])
    weights = [Small.load_from_checkpoint(path).net[0].weight for path in _files()]
    assert not torch.allclose(*weights, atol=0.01)


def test_the_same_seed_gives_the_same_bytes(made):
    assert made() == made(folder="other")


def _files():
    return sorted(Path("out").glob("reference-*.ckpt"))


# ---- what is left of it ------------------------------------------------------------------------------------------
def test_the_file_loads_safely_and_says_what_it_is(job):
    one = job(partial(Small, lr=0.05))
    train(one, lambda _: None)
    assert [path.name for path in one.folder.iterdir()] == [f"reference-1-{one.stamp.key[:16]}.ckpt"]
    content = torch.load(one.finished, weights_only=True)
    assert content["lightning_unlearn"]["seed"] == 1
    assert content["lightning_unlearn"]["data_sha256"] == one.stamp.data_sha256
    assert content["lightning_unlearn"]["config_sha256"] == one.stamp.config_sha256
    assert content["lightning_unlearn"]["retain_samples"] == 30
    assert (content["epoch"], content["global_step"]) == (4, 16)
    assert "optimizer_states" not in content
    assert Small.load_from_checkpoint(one.finished).hparams.lr == 0.05
    assert read_stamp(one.finished) == one.stamp
    assert isinstance(one.stamp, Stamp)


class Holder(Small):
    """Its hyper-parameters and its checkpoints hold what needs pickle."""

    def __init__(self, metric=sides):
        super().__init__()
        self.save_hyperparameters()

    def on_save_checkpoint(self, checkpoint):
        checkpoint["mine"] = Killed
        checkpoint["count"] = 3


def test_what_needs_pickle_is_left_out_of_the_file(job):
    one = job(Holder)
    train(one, lambda _: None)
    content = torch.load(one.finished, weights_only=True)
    assert content["count"] == 3
    assert not {"mine", "hyper_parameters"} & content.keys()


def test_what_unlearns_and_what_writes_is_left_out(job, tmp_path):
    callbacks = [
        GradientSurgery(alpha=1.0), ForgettingMonitor(), ModelCheckpoint(tmp_path / "theirs"), LearningRateMonitor(),
    ]  # fmt: skip
    logger = CSVLogger(tmp_path / "theirs")
    options = {"callbacks": callbacks, "logger": logger, "log_every_n_steps": 1}
    one = job(make_trainer=trainer(**options), config={"lr": 1})
    train(one, lambda _: None)
    assert not (tmp_path / "theirs").exists()
    assert len(Small.seen) == 16


def test_other_callbacks_take_part(job):
    stopper = EarlyStopping("val_loss", patience=0, min_delta=100.0)
    one = job(data=validated(), make_trainer=trainer(callbacks=[stopper]), config={"patience": 0})
    train(one, lambda _: None)
    assert torch.load(one.finished, weights_only=True)["epoch"] == 2


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (Small, {"max_epochs": 0}, "A reference must be trained, found no step taken"),
        (partial(Small, lr=1e38), {}, "The weights of a reference must be finite, found net.0.weight"),
    ],
)
def test_a_reference_that_is_none_is_not_written(job, module, options, message):
    one = job(module, make_trainer=trainer(**options))
    with pytest.raises(UnlearningError, match=message):
        train(one, lambda _: None)
    assert not one.finished.exists()


class Other(L.LightningDataModule):
    """Is not what it was when it is made again."""

    made = 0

    def __init__(self):
        super().__init__()
        type(self).made += 1
        inputs, labels = samples().tensors
        self.inner = TensorDataset(inputs + self.made, labels)

    def train_dataloader(self):
        return {"retain": torch.utils.data.DataLoader(self.inner, 8)}

    def __reduce__(self):
        return Other, ()


def test_data_that_are_others_in_the_process_are_refused(job):
    one = job(data=Other())
    with pytest.raises(ConfigurationError, match="The retain set must be the same in every process"):
        train(one, lambda _: None)


# ---- interruptions -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("stop_at", [(0, 2), (1, 0), (2, 3), (3, 1)])
@pytest.mark.parametrize("data", [validated, Mapped, lambda: sides(Noisy(samples()))])
def test_interrupted_and_resumed_equals_undisturbed(made, job, monkeypatch, stop_at, data):
    whole = made(data=data(), folder="whole")
    monkeypatch.setattr(Small, "stop_at", stop_at)
    with pytest.raises(Killed):
        made(data=data())
    monkeypatch.setattr(Small, "stop_at", None)
    Small.seen.clear()
    torch.rand(7)
    assert made(data=data()) == whole
    assert len(Small.seen) == 4 * (4 - stop_at[0])


def test_without_what_lightning_leaves_out_it_would_differ(made, monkeypatch):
    whole = made(folder="whole")
    monkeypatch.setattr(Small, "stop_at", (2, 1))
    with pytest.raises(Killed):
        made()
    monkeypatch.setattr(Small, "stop_at", None)
    monkeypatch.setattr(Keeper, "on_load_checkpoint", lambda *_: None)
    assert made() != whole


def test_a_run_that_was_told_to_stop_stops_there_again(made, monkeypatch):
    """Killed between the last epoch and the file of the reference."""
    stopper = EarlyStopping("val_loss", patience=0, min_delta=100.0)
    options = {"data": validated(), "make_trainer": trainer(callbacks=[stopper]), "config": {"p": 0}}
    whole = made(**options, folder="whole")
    monkeypatch.setattr("lightning_unlearn.reference._train._write", lambda *_: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        made(**options)
    monkeypatch.undo()
    assert made(**options) == whole


def test_a_damaged_checkpoint_means_a_new_start(made, job):
    whole = made(folder="whole")
    one = job()
    one.unfinished.write_bytes(b"half of a file")
    train(one, lambda _: None)
    assert without_seconds(one.finished) == whole


def test_how_far_it_is_is_reported(job):
    told = []
    train(job(Slow), told.append)
    assert len(told) >= 3
    shares = [progress.done for progress in told]
    assert shares == sorted(shares)
    assert 0 < shares[0] <= 1
    assert {progress.epoch for progress in told} <= {1, 2, 3, 4}
    assert all(progress.loss > 0 for progress in told)


# ---- how long it took --------------------------------------------------------------------------------------------
def test_the_seconds_are_those_of_all_parts_that_count(made, job, monkeypatch):
    """By a clock that moves a second with each batch and ten with each checkpoint."""
    now = [100.0]
    monkeypatch.setattr(_keeper, "time", SimpleNamespace(monotonic=lambda: now[0]))
    step, save = Small.training_step, Trainer.save_checkpoint

    def slow_step(*given):
        now[0] += 1
        return step(*given)

    def slow_save(*given, **options):
        now[0] += 10
        save(*given, **options)

    monkeypatch.setattr(Small, "training_step", slow_step)
    monkeypatch.setattr(Trainer, "save_checkpoint", slow_save)
    monkeypatch.setattr(_keeper, "_SHARE", 1e9)
    monkeypatch.setattr(Small, "stop_at", (2, 3))
    with pytest.raises(Killed):
        made()
    monkeypatch.setattr(Small, "stop_at", None)
    now[0] += 1000
    one = job()
    train(one, lambda _: None)
    stamp = read_stamp(one.finished)
    assert stamp.seconds == 16  # four epochs of four batches; the three that were lost do not count
    assert stamp == one.stamp


def test_a_file_of_an_earlier_version_has_no_seconds(job):
    one = job()
    train(one, lambda _: None)
    content = torch.load(one.finished, weights_only=True)
    del content["lightning_unlearn"]["seconds"]
    torch.save(content, one.finished)
    stamp = read_stamp(one.finished)
    assert (stamp.seconds, stamp.key) == (None, one.stamp.key)
