"""Searches that are refused, fail, or leave something behind."""

import lightning.pytorch as L
import pytest
import torch

from lightning_unlearn import ConfigurationError, EditStrategy, GradientSurgery
from tests.features._tuned import Outcome, Plain, SmallSet, searches_rate, searches_size
from tests.strategies import _fits as fits
from tests.strategies._cases import named
from tests.strategies._laws_failure import hooks_of, replaced
from tests.strategies._modules import Net
from tests.strategies._probes import Asking, Masked

pytestmark = pytest.mark.filterwarnings(
    "ignore:You have overridden `on_after_batch_transfer`"
)  # Lightning's own advice


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # finders save a checkpoint in the current folder


class Nothing(EditStrategy):
    def edit(self, module, forget, retain):
        pass


@pytest.mark.parametrize("finder", [searches_rate, searches_size])
def test_a_search_beside_an_edit_is_refused(finder):
    with pytest.raises(ConfigurationError, match="takes no step"):
        fits.fit(Plain(), SmallSet(torch.float64), finder(), Nothing())


def test_a_trial_without_sides_is_refused_with_the_remedy():
    loader = SmallSet(torch.float64).retain_dataloader()
    with pytest.raises(ConfigurationError, match="UnlearningDataModule"):
        fits.fit(Plain(), loader, searches_rate(), GradientSurgery(alpha=1.0))


class Boom(Exception):
    """What goes wrong here."""


@pytest.mark.parametrize("finder", [searches_rate, searches_size])
def test_an_exception_in_a_trial_leaves_nothing_behind(finder):
    def ask(forget, retain):
        raise Boom

    module, data, made = Plain(), SmallSet(torch.float64), []
    make = module.configure_optimizers
    module.configure_optimizers = lambda: made.append(make()) or made[-1]
    trainer = L.Trainer(**fits.QUIET, callbacks=[finder(), Asking(ask)])
    before = replaced(module, data, trainer.strategy)
    with pytest.raises(Boom):
        trainer.fit(module, datamodule=data)
    assert replaced(module, data, trainer.strategy) == before
    assert hooks_of(made[0]) == 0


@pytest.mark.parametrize("finder", [searches_rate, searches_size])
def test_a_fit_with_a_search_leaves_nothing_behind(finder):
    module, data, made = Plain(), SmallSet(torch.float64), []
    make = module.configure_optimizers
    module.configure_optimizers = lambda: made.append(make()) or made[-1]
    strategy = Masked()
    trainer = L.Trainer(**fits.QUIET, callbacks=[finder(), strategy])
    callbacks, before = trainer.callbacks, replaced(module, data, trainer.strategy)
    trainer.fit(module, datamodule=data)
    assert trainer.callbacks is callbacks
    assert replaced(module, data, trainer.strategy) == before
    assert hooks_of(made[0]) == 0


# ---- controls -------------------------------------------------------------------------------------------------------
def test_control_another_learning_rate_breaks_the_law():
    searched = Outcome(named("surgery"), searches_rate(update_attr=False))
    with pytest.raises(AssertionError, match="weights differ"):
        searched.equals(Outcome(named("surgery"), lr=0.050001))


class Remembers(Masked):
    """Goes on from the trial."""

    def _forget_trials(self, trainer):
        pass


def test_control_a_strategy_that_remembers_the_trial_leaves_a_hook():
    module, made = Plain(), []
    make = module.configure_optimizers
    module.configure_optimizers = lambda: made.append(make()) or made[-1]
    fits.fit(module, SmallSet(torch.float64), searches_rate(), Remembers())
    assert hooks_of(made[0]) == 2


class Absent(GradientSurgery):
    """Stays out of the trial, as any other callback does."""

    def _join(self, trainer, module):
        pass


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")  # Lightning cleans up
def test_control_a_strategy_that_does_not_join_cannot_take_part():
    with pytest.raises(ConfigurationError, match="without its callbacks"):
        fits.fit(Plain(), SmallSet(torch.float64), searches_rate(), Absent())


def test_control_a_plain_fit_searches_as_ever():
    finder = searches_rate(update_attr=False)
    fits.fit(Net(), fits.sides()["retain"], finder)
    assert len(finder.optimal_lr.results["lr"]) == 6
