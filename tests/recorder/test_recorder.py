"""`InputCovariance`: checkpoints hold the sums that belong to their weights, and the training is as without."""

import lightning.pytorch as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader

from lightning_unlearn import ConfigurationError, InputCovariance
from lightning_unlearn.recorder import stored_covariances
from tests._processes import two_ranks
from tests.recorder._trained import Classifier, Traces, Validated, by_hand, loader, trained
from tests.strategies import _fits as fits
from tests.strategies._modules import Net

KEY = "input_covariances"


def holds_its_own(path, inputs=None):
    """Whether a checkpoint has covariances, which are then those of the weights in it."""
    checkpoint = torch.load(path, weights_only=True)
    if KEY not in checkpoint:
        return False
    expected = by_hand(checkpoint["state_dict"], fits.samples(20, 1).tensors[0] if inputs is None else inputs)
    found = checkpoint[KEY]["blocks"]
    assert found.keys() == expected.keys()
    for name, block in expected.items():
        assert found[name].dtype is torch.float64
        torch.testing.assert_close(found[name][0], block, rtol=0, atol=1e-12)
    module = Classifier()
    module.load_state_dict(checkpoint["state_dict"])
    assert stored_covariances(path, module).misfit(module) is None
    return True


@pytest.mark.parametrize("weights_of", ["end", "start"])
def test_a_checkpoint_after_the_fit_holds_the_sums_at_the_final_weights(weights_of, tmp_path):
    trainer, module = trained(InputCovariance())
    if (
        weights_of == "start"
    ):  # control: moved after the fit, they are no longer those that were measured with
        module.load_state_dict(Classifier().state_dict())
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    assert holds_its_own(tmp_path / "a.ckpt") == (weights_of == "end")


@pytest.mark.parametrize("module", [Classifier, Validated])
@pytest.mark.parametrize("always", [False, True])
def test_of_the_checkpoints_of_a_run_the_last_has_them_or_all_have(module, always, tmp_path):
    checkpoints = ModelCheckpoint(tmp_path, filename="{step}", save_top_k=-1, save_last=True)
    every_two = ModelCheckpoint(tmp_path, filename="n-{step}", save_top_k=-1, every_n_train_steps=2)
    trained(
        checkpoints,  # Lightning lays it behind all others
        every_two,
        InputCovariance(every_checkpoint=always),
        module=module(),
        enable_checkpointing=True,
    )
    found = {path.stem: holds_its_own(path) for path in tmp_path.glob("*.ckpt")}
    at_end = {name: name in ("step=10", "last", "n-step=10") for name in found}
    assert {"step=5", "step=10", "last", "n-step=2", "n-step=10"} <= found.keys()
    assert found == (dict.fromkeys(found, True) if always else at_end)


@pytest.mark.parametrize(
    "ends",
    [{"max_steps": 7, "max_epochs": -1}, {"max_epochs": 50, "stop": True}],
    ids=["max_steps", "early-stopping"],
)
def test_an_end_by_steps_or_by_an_early_stop_is_one(ends, tmp_path):
    callbacks = [InputCovariance(), ModelCheckpoint(tmp_path, filename="{step}", save_last=True)]
    if ends.pop("stop", False):
        callbacks.append(EarlyStopping("validation", mode="max", patience=1, min_delta=100.0))
    trained(*callbacks, module=Validated(), enable_checkpointing=True, **ends)
    assert holds_its_own(tmp_path / "last.ckpt")


def test_each_weights_are_measured_once(tmp_path, monkeypatch):
    passes = []
    for_real = InputCovariance._source

    def counted(self, trainer, module, limit):
        passes.append(limit)
        return for_real(self, trainer, module, limit)

    monkeypatch.setattr(InputCovariance, "_source", counted)
    checkpoints = ModelCheckpoint(tmp_path, filename="{step}", save_top_k=-1, save_last=True)
    trainer, _ = trained(InputCovariance(), checkpoints, enable_checkpointing=True)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    trainer.save_checkpoint(tmp_path / "b.ckpt")
    assert passes == [1, None]  # a trial at the start, and the end


def test_weights_alone_come_without(tmp_path):
    trainer, _ = trained(InputCovariance())
    trainer.save_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    assert KEY not in torch.load(tmp_path / "a.ckpt", weights_only=True)


@pytest.mark.parametrize("make", [Traces, Validated])
@pytest.mark.parametrize("always", [False, True])
@pytest.mark.filterwarnings("ignore:You have overridden `on_after_batch_transfer`")
def test_the_training_is_as_without_it_bit_for_bit(make, always, tmp_path):
    ends = []
    for number, own in enumerate(([], [InputCovariance(every_checkpoint=always)])):
        logger, folder = fits.Recording(), tmp_path / str(number)
        data = loader(torch.float32 if make is Traces else torch.float64)
        checkpoints = ModelCheckpoint(folder, every_n_train_steps=3)
        trainer, module = trained(
            *own, checkpoints, data=data, module=make(), logger=logger, enable_checkpointing=True
        )
        state = {n: t.clone() for n, t in module.state_dict().items()}
        ends.append((state, logger.records, fits.streams(), dict(trainer.callback_metrics)))
    assert fits.same(ends[0][0], ends[1][0])
    assert ends[0][1:] == ends[1][1:]


def test_every_sample_counts_once_on_two_processes(tmp_path):
    two_ranks("tests.recorder._ranks", str(tmp_path))
    both = tmp_path / "both.ckpt"
    assert holds_its_own(both, fits.samples(13, 1).tensors[0])
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert fits.same(first["blocks"], second["blocks"])


def test_a_loader_of_its_own_is_measured_instead():
    callback = InputCovariance(data=DataLoader(fits.samples(7, 4), 2))
    _, module = trained(callback)
    expected = by_hand(module.state_dict(), fits.samples(7, 4).tensors[0])
    torch.testing.assert_close(callback._measured.blocks["net.3.weight"][0], expected["net.3.weight"])


def test_float64_has_the_digest_of_the_same_numbers_in_float32(tmp_path):
    trainer, module = trained(
        InputCovariance(), module=Classifier(dtype=torch.float32), data=loader(torch.float32)
    )
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    assert stored_covariances(tmp_path / "a.ckpt", module.double()).blocks


# ---- refusals: at the start, not after hours of training -----------------------------------------------------------
class WithoutLayers(Net):
    def build(self):
        return nn.Sequential(nn.BatchNorm1d(fits.FEATURES))


class ByMapping(Net):
    """Batches need a function."""

    def training_step(self, batch, batch_idx):
        return super().training_step((batch["x"], batch["y"]), batch_idx)


def as_mappings():
    inputs, labels = fits.samples(8, 1).tensors
    return DataLoader([{"x": x, "y": y} for x, y in zip(inputs, labels, strict=True)], 4)


REFUSED = {
    "no-layer": (WithoutLayers, loader, "must have an `nn.Linear`"),
    "batches": (ByMapping, as_mappings, "`predict` must be given"),
    "loaders": (Net, lambda: {"a": loader(), "b": loader()}, "one `DataLoader`.*Pass `data="),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_before_the_first_step(name):
    make, data, message = REFUSED[name]
    module = make()
    start = fits.weights(module)
    with pytest.raises(ConfigurationError, match=message):
        fits.fit(module, data(), InputCovariance())
    assert fits.same(start, fits.weights(module))


def test_a_function_for_other_batches_is_used():
    callback = InputCovariance(lambda module, batch: module(batch["x"]))
    module = ByMapping()
    fits.fit(module, as_mappings(), callback)
    x = fits.samples(8, 1).tensors[0]
    torch.testing.assert_close(callback._measured.blocks["net.0.weight"][0], x.T @ x)


@pytest.mark.parametrize("positions", [0, -1, 2.5, True, "all"])
def test_positions_are_a_positive_whole_number(positions):
    with pytest.raises(ConfigurationError, match="`positions` must be a positive integer"):
        InputCovariance(positions=positions)


def test_it_is_no_part_of_other_runs(tmp_path):
    callback = InputCovariance()
    module = Validated()
    L.Trainer(**{**fits.QUIET, "default_root_dir": tmp_path}, callbacks=[callback]).validate(
        module, verbose=False
    )
    assert callback._measured is None
