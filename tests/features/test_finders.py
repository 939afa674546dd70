"""`LearningRateFinder`, `BatchSizeFinder` and `Tuner` try the strategy itself, and leave nothing of the trial behind."""

import lightning.pytorch as L
import pytest
import torch
from lightning.pytorch.callbacks import BatchSizeFinder, LearningRateFinder
from lightning.pytorch.tuner import Tuner

from lightning_unlearn import (
    FineTune,
    GradientDifference,
    GradientStrategy,
    GradientSurgery,
)
from tests.features._tuned import Outcome, Plain, SmallSet, Tracing, searches_rate, searches_size
from tests.strategies import _fits as fits
from tests.strategies._cases import every_case, named
from tests.strategies._probes import Masked, Nosy, Prepared

pytestmark = pytest.mark.filterwarnings(
    "ignore:You have overridden `on_after_batch_transfer`"
)  # Lightning's own advice


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # finders save a checkpoint in the current folder


# ---- the law: a fit after a search equals one that is told what was found ----------------------------------------
@every_case
def test_a_search_for_the_learning_rate_changes_nothing_but_that(case):
    Outcome(case, searches_rate(update_attr=False)).equals(Outcome(case))


def test_a_fit_with_the_rate_that_was_found_equals_one_that_is_told_it():
    searched = Outcome(named("masked"), searches_rate(15), batch_size=2)
    assert searched.module.lr != 0.05
    searched.equals(Outcome(named("masked"), lr=searched.module.lr, batch_size=2))


@every_case
def test_a_fit_after_a_search_for_the_batch_size_equals_one_that_is_told_it(case):
    ends = []
    for finders, size in (([searches_size()], 4), ([], 8)):
        module, data = Plain(), SmallSet(torch.float64, case.retain_free, batch_size=size)
        strategy = case.make()
        trainer = fits.fit(module, data, *finders, strategy)
        assert data.batch_size == 8
        ends.append((fits.weights(module), strategy.progress, trainer.global_step))
    assert fits.same(ends[0][0], ends[1][0])
    assert ends[0][1:] == ends[1][1:]


def test_beside_a_search_for_the_batch_size_a_strategy_leaves_no_trace():
    ends = []  # Lightning itself draws from the global streams while it searches, and does not put them back
    for make in (None, Nosy):
        fits.seed_all()
        module, data = Tracing(), SmallSet(torch.float32, plain=make is None)
        fits.fit(module, data, searches_size(), *([make()] if make else []))
        ends.append((fits.weights(module) | dict(module.named_buffers()), fits.streams()))
    assert fits.same(ends[0][0], ends[1][0])
    assert ends[0][1] == ends[1][1]


@pytest.mark.parametrize("order", ["rate-first", "size-first"])
def test_both_searches_one_after_the_other(order):
    finders = [searches_rate(14), searches_size(2)]
    module, data = Plain(), SmallSet(torch.float64, batch_size=2)
    fits.fit(module, data, *(finders if order == "rate-first" else finders[::-1]), Masked())
    told = Plain(module.lr)
    fits.fit(told, SmallSet(torch.float64, batch_size=data.batch_size), Masked())
    assert fits.same(fits.weights(module), fits.weights(told))


def test_the_tuner_leaves_a_trainer_that_fits_as_if_it_had_not_been_tuned():
    ends = []
    for tuned in (True, False):
        module, data, strategy = Tracing(), SmallSet(torch.float32), Masked()
        trainer = L.Trainer(**fits.QUIET, callbacks=[strategy])
        if tuned:
            tuner = Tuner(trainer)
            tuner.scale_batch_size(module, datamodule=data, max_trials=3)
            found = tuner.lr_find(module, datamodule=data, num_training=20, update_attr=False)
            assert len(found.results["lr"]) == 6
            assert strategy._session is None, "still attached between the search and the fit"
        else:
            data.batch_size = 8
        assert data.batch_size == 8
        fits.seed_all()
        trainer.fit(module, datamodule=data)
        ends.append((fits.weights(module), strategy.progress, trainer.global_step, fits.streams()))
    assert fits.same(ends[0][0], ends[1][0])
    assert ends[0][1:] == ends[1][1:]


def test_a_search_in_mid_run_keeps_what_the_start_has_prepared():
    class Later(LearningRateFinder):
        def on_fit_start(self, *_):
            pass

        def on_train_epoch_start(self, trainer, pl_module):
            if trainer.current_epoch == 1 and not any(c is self for c in trials):
                trials.append(self)
                self.lr_find(trainer, pl_module)

    class Once(Prepared):
        def prepare(self, *sides):
            super().prepare(*sides)
            prepared.append(self.progress.step)

    ends = []
    for search in (True, False):
        trials, prepared = [], []
        module, strategy = Plain(), Once()
        finders = [Later(num_training_steps=3, update_attr=False)] if search else []
        fits.fit(module, fits.sides(), *finders, strategy)
        assert prepared == [0]
        assert len(trials) == len(finders)
        ends.append((fits.weights(module), strategy.progress))
    assert fits.same(ends[0][0], ends[1][0])
    assert ends[0][1] == ends[1][1]


# ---- what a trial sees ----------------------------------------------------------------------------------------------
def test_a_search_tries_the_strategy_and_not_plain_training():
    losses = {}
    for make in (FineTune, GradientSurgery):
        finder = searches_rate(update_attr=False)
        fits.fit(Plain(), SmallSet(torch.float64), finder, make())
        losses[make] = finder.optimal_lr.results["loss"]
    plain, finder = SmallSet(torch.float64), searches_rate(update_attr=False)
    fits.fit(Plain(), plain.retain_dataloader(), finder)
    assert losses[FineTune] == finder.optimal_lr.results["loss"]
    assert losses[GradientSurgery] != losses[FineTune]
    assert losses[GradientSurgery][0] == losses[FineTune][0], "before the first step they agree"


FULL = "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"


class Small(Plain):
    """A machine with room for so many samples of one side."""

    def __init__(self, forget=1000, retain=1000):
        super().__init__()
        self.room = {"forget": forget, "retain": retain}
        forgotten = SmallSet(torch.float64).forget_dataloader().dataset
        self.forget_rows = {tuple(row.tolist()) for row, _ in forgotten}

    def training_step(self, batch, batch_idx):
        side = "forget" if tuple(batch[0][0].tolist()) in self.forget_rows else "retain"
        if len(batch[0]) > self.room[side]:
            raise RuntimeError(FULL)
        return super().training_step(batch, batch_idx)


@pytest.mark.parametrize("mode", ["power", pytest.param("binsearch", marks=pytest.mark.slow)])
@pytest.mark.parametrize("side", ["forget", "retain"])
def test_the_search_for_the_batch_size_sees_the_memory_of_either_side(side, mode):
    data, module = SmallSet(torch.float64), Small(**{side: 5})
    finder = BatchSizeFinder(mode=mode, margin=0.0)
    trainer = fits.fit(module, data, finder, GradientSurgery(alpha=1.0))
    assert data.batch_size == finder.optimal_batch_size == (4 if mode == "power" else 5)
    assert trainer.global_step == 2 * -(-24 // data.batch_size)


def test_a_forget_batch_size_of_its_own_stays():
    data = SmallSet(torch.float64, forget_batch_size=3)
    fits.fit(Small(forget=3), data, searches_size(), GradientSurgery(alpha=1.0))
    assert data.batch_size == 8
    assert {len(labels) for _, labels in data.forget_dataloader()} == {3}


def test_the_batch_size_of_an_existing_datamodule_may_be_searched():
    inner = L.LightningDataModule.from_datasets(fits.samples(36, 1), batch_size=4)
    from lightning_unlearn import UnlearningDataModule

    data = UnlearningDataModule.from_datamodule(inner, forget=list(range(0, 36, 3)), pin_memory=False)
    trainer = L.Trainer(**fits.QUIET, callbacks=[GradientSurgery(alpha=1.0)])
    module = Plain()
    Tuner(trainer).scale_batch_size(module, datamodule=data, max_trials=3)
    trainer.fit(module, datamodule=data)
    assert data.batch_size == 8
    assert trainer.global_step == 6


def test_each_trial_and_the_run_itself_prepare_anew():
    steps = []

    class Counting(Prepared):
        def prepare(self, module, forget, retain):
            steps.append((self.progress.step, next(iter(retain._loader))[0].shape[0]))
            super().prepare(module, forget, retain)

    fits.fit(Plain(), SmallSet(torch.float64), searches_size(), Counting())
    # Lightning makes its first trial with the loaders that it has
    assert steps == [(0, 4), (0, 4), (0, 8), (0, 8)], "(steps taken, batch size)"


class Keeping(GradientStrategy):
    keeps_original = True

    def combine(self, forget, retain):
        return retain.add_(self.weights - self.original, 0.1).add_(forget)


def test_the_original_weights_are_those_before_the_trial():
    module, strategy = Plain(), Keeping()
    start = fits.weights(module)
    fits.fit(module, SmallSet(torch.float64), searches_rate(update_attr=False), strategy)
    assert fits.same(start, dict(strategy.original.items()))
    assert not fits.same(start, fits.weights(module))


class Overflowing(Plain):
    """Not finite once its weights have grown, as in a search for the largest learning rate."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        return loss * (float("nan") if float(self.net[0].weight.detach().abs().max()) > 5 else 1.0)


def test_a_trial_that_diverges_is_no_reason_to_warn():
    finder = searches_rate(10, max_lr=1e3, update_attr=False)
    fits.fit(
        Overflowing(), SmallSet(torch.float64), finder, GradientDifference(alpha=0.1)
    )  # a warning would be an error
    assert any(loss != loss for loss in finder.optimal_lr.results["loss"])
