"""`ckpt_path` that is not a checkpoint of an interrupted run of the strategy: told, with the remedy."""

import lightning.pytorch as L
import pytest
from lightning.pytorch.callbacks import ModelCheckpoint

from lightning_unlearn import (
    ConfigurationError,
    GradientAscent,
    GradientDifference,
    GradientSurgery,
    UnlearningDataModule,
)
from tests.resume import _law as law
from tests.strategies import _fits as fits
from tests.strategies._modules import Net

REMEDY = (
    r"`ckpt_path` must be a checkpoint of an interrupted run with GradientSurgery.*`load_from_checkpoint`"
)
# Lightning, once in a process: whoever comes first would fail
pytestmark = pytest.mark.filterwarnings("ignore:You have overridden `on_after_batch_transfer`")
foreign = pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")


@pytest.mark.parametrize("max_epochs", [1, 2, 3])
@pytest.mark.parametrize("callback", [None, ModelCheckpoint])
@foreign
def test_the_checkpoint_of_the_original_model(max_epochs, callback, tmp_path):
    saves = [] if callback is None else [callback(tmp_path / "saves")]
    trained = fits.fit(Net(), fits.sides()["retain"], *saves, enable_checkpointing=bool(saves))
    trained.save_checkpoint(tmp_path / "a")
    strategy, module = GradientSurgery(alpha=1.0), Net()
    trainer = L.Trainer(**{**fits.QUIET, "max_epochs": max_epochs}, callbacks=[strategy])
    with pytest.raises(ConfigurationError, match=REMEDY):
        trainer.fit(module, fits.sides(), ckpt_path=tmp_path / "a")
    assert strategy._session is None


@pytest.mark.parametrize("other", [GradientDifference, GradientAscent])
@foreign
def test_a_checkpoint_of_another_strategy(other, tmp_path):
    loaders = fits.sides()
    data = {"forget": loaders["forget"]} if other is GradientAscent else loaders
    fits.fit(Net(), data, other()).save_checkpoint(tmp_path / "a")
    named = f"found one of a run with {other.__name__}. Resume that run with its own strategy"
    with pytest.raises(ConfigurationError, match=named):
        L.Trainer(**fits.QUIET, callbacks=[GradientSurgery(alpha=1.0)]).fit(
            Net(), loaders, ckpt_path=tmp_path / "a"
        )


def test_weights_alone(tmp_path):
    fits.fit(Net(), fits.sides(), GradientSurgery(alpha=1.0)).save_checkpoint(
        tmp_path / "a", weights_only=True
    )
    module = Net()
    with pytest.raises(
        ConfigurationError, match=r"found one that holds weights only.*`save_weights_only=False`"
    ):
        L.Trainer(**fits.QUIET, callbacks=[GradientSurgery(alpha=1.0)]).fit(
            module, fits.sides(), ckpt_path=tmp_path / "a"
        )


@foreign
def test_last_of_a_folder_of_plain_training(tmp_path):
    saves = ModelCheckpoint(tmp_path / "a", save_last=True)
    fits.fit(Net(), fits.sides()["retain"], saves, enable_checkpointing=True)
    again = ModelCheckpoint(tmp_path / "a", save_last=True)
    trainer = L.Trainer(
        **{**fits.QUIET, "enable_checkpointing": True}, callbacks=[GradientSurgery(alpha=1.0), again]
    )
    with (
        pytest.warns(UserWarning, match="exists and is not empty"),
        pytest.raises(ConfigurationError, match=REMEDY),
    ):
        trainer.fit(Net(), fits.sides(), ckpt_path="last")


@pytest.mark.filterwarnings("ignore:.*there is no last checkpoint available")
def test_last_of_an_empty_folder_begins_a_run(tmp_path):
    saves = ModelCheckpoint(tmp_path, save_last=True)
    module = Net()
    trainer = L.Trainer(
        **{**fits.QUIET, "enable_checkpointing": True}, callbacks=[GradientSurgery(alpha=1.0), saves]
    )
    trainer.fit(module, fits.sides(), ckpt_path="last")
    assert trainer.global_step == 10


def test_a_finished_run_with_more_epochs_goes_on(tmp_path):
    whole = law.run(GradientSurgery(alpha=1.0), max_epochs=3, module=law.WithoutMetrics, data=fresh)
    part = law.run(GradientSurgery(alpha=1.0), module=law.WithoutMetrics, data=fresh)
    part.trainer.save_checkpoint(tmp_path / "a")
    resumed = law.run(
        GradientSurgery(alpha=1.0),
        ckpt_path=tmp_path / "a",
        max_epochs=3,
        module=law.WithoutMetrics,
        data=fresh,
        seed=1,
    )
    assert len(resumed.module.seen) == 5
    law.agree(whole._replace(strategy=resumed.strategy), None, resumed)  # the planned number of steps differs


def fresh():
    data = law.own_data()
    return {"retain": data.retain_dataloader(), "forget": data.forget_dataloader()}


def test_a_finished_run_with_fewer_epochs_is_refused_by_lightning(tmp_path):
    law.run(GradientSurgery(alpha=1.0), module=law.WithoutMetrics, data=fresh).trainer.save_checkpoint(
        tmp_path / "a"
    )
    with pytest.raises(L.utilities.exceptions.MisconfigurationException, match="max_epochs=1"):
        law.run(GradientSurgery(alpha=1.0), ckpt_path=tmp_path / "a", max_epochs=1, data=fresh)


def test_testing_a_checkpoint_of_anything_is_left_alone(tmp_path):
    class Tested(Net):
        def test_step(self, batch, batch_idx):
            self.log("tested", self(batch[0]).mean())

    fits.fit(Tested(), fits.sides()["retain"]).save_checkpoint(tmp_path / "a")
    trainer = L.Trainer(**fits.QUIET, callbacks=[GradientSurgery(alpha=1.0)])
    trainer.test(Tested(), fits.sides()["retain"], ckpt_path=tmp_path / "a", verbose=False)
    assert "tested" in trainer.callback_metrics


def interrupted(folder, **options):
    path = folder / "a.ckpt"
    law.run(GradientSurgery(**options), law.Stop(path, "batch", 3))
    return path


def test_other_options_are_told(tmp_path):
    path = interrupted(tmp_path, alpha=0.1)
    with pytest.warns(
        UserWarning, match=r"of a run with `alpha=0.1`, this one has 0.2: the run goes on with the new"
    ):
        law.run(GradientSurgery(alpha=0.2), ckpt_path=path)


def test_other_data_are_told(tmp_path):
    path = interrupted(tmp_path, alpha=1.0)

    def halved():
        return UnlearningDataModule(law.Drawing(20, 1), forget=law.Drawing(12, 2), batch_size=2)

    with pytest.warns(
        UserWarning, match="of a run with 5 batches an epoch, this one has 10: its data or its batch"
    ):
        law.run(GradientSurgery(alpha=1.0), data=halved, ckpt_path=path)


def test_control_the_same_again_is_not_warned_of(tmp_path):
    law.run(GradientSurgery(alpha=1.0), ckpt_path=interrupted(tmp_path, alpha=1.0))  # a warning is an error
