"""Faults that a stranger's review found; each of these failed before it was mended."""

import math

import lightning.pytorch as L
import pytest
import torch
from lightning.pytorch.strategies import FSDPStrategy
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from lightning_unlearn import ConfigurationError, ForgettingMonitor, GradientSurgery, UnlearningStrategy
from lightning_unlearn.strategies import _checks
from tests.monitor._setups import TEST, Clouds, loaders
from tests.strategies import _fits as fits
from tests.strategies._modules import Net


class Ruined(Clouds):
    """Its weights become NaN after the first step."""

    def on_train_batch_end(self, *_):
        if self.trainer.global_step == 1:
            with torch.no_grad():
                self.layer.weight.fill_(math.nan)


@pytest.mark.filterwarnings("ignore:Retain accuracy fell to")
@pytest.mark.filterwarnings("ignore:.*not finite; they used")
def test_a_model_of_nans_is_a_collapse_and_no_success():
    module, monitor = Ruined(), ForgettingMonitor(every_n_steps=1, target=0.9)
    fits.fit(module, loaders(), GradientSurgery(alpha=1.0), monitor, max_epochs=2)
    assert monitor.stopped == "collapse"
    assert module.layer.weight.isfinite().all()


class LateTestSet(L.LightningDataModule):
    def train_dataloader(self):
        return loaders()

    def setup(self, stage):
        if stage == "test":
            self.late = DataLoader(TEST, 8)

    def test_dataloader(self):
        return self.late


def test_a_test_set_that_is_made_in_the_test_stage_is_found():
    monitor = ForgettingMonitor(every_n_steps=5, target=None, retain_floor=0.0)
    fits.fit(Clouds(), LateTestSet(), GradientSurgery(alpha=1.0), monitor, max_epochs=1)
    assert "unlearn/test_accuracy" in monitor.history[-1]


class LogsByPosition(Clouds):
    def training_step(self, batch, batch_idx):
        loss = cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss, True, None, True)
        return loss


def test_arguments_of_log_by_position():
    trainer = fits.fit(LogsByPosition(), loaders(), GradientSurgery(alpha=1.0), max_epochs=1)
    assert {"loss", "unlearn/forget/loss"} <= set(trainer.callback_metrics)
    assert "unlearn/forget/loss" not in trainer.progress_bar_metrics


class Doubles(Clouds):
    def training_step(self, batch, batch_idx):
        batch[0].mul_(2)
        return cross_entropy(self(batch[0]), batch[1])


class AsksTwice(UnlearningStrategy):
    def direction(self, forget, retain):
        return forget.gradient(at=retain.gradient() * 0.0).add_(forget.gradient())


def test_a_batch_changed_in_place_is_refused_when_it_is_needed_again():
    with pytest.raises(
        ConfigurationError, match=r"must not change the tensors of its batch in place, found the forget"
    ):
        fits.fit(Doubles(), loaders(), AsksTwice(), max_epochs=1)


def test_fsdp1_is_refused_with_the_alternative():
    class Stub:
        strategy = object.__new__(FSDPStrategy)

    assert any("ModelParallelStrategy" in misfit for misfit in _checks.of_trainer(Stub(), []))


class Curved(Net):
    def configure_optimizers(self):
        return torch.optim.LBFGS(self.parameters(), lr=0.1, max_iter=4)


def test_the_conflict_rate_is_a_share_under_closures_too():
    trainer = fits.fit(Curved(), fits.sides(), GradientSurgery(alpha=1.0), max_epochs=2)
    assert 0 <= trainer.callback_metrics["unlearn/conflict_rate"] <= 1
