"""Averages of the weights beside a strategy: those of the weights that the strategy's steps lead to."""

import copy
from itertools import pairwise

import pytest
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, StochasticWeightAveraging, WeightAveraging
from torch.utils.data import DataLoader

from lightning_unlearn import ConfigurationError, ForgettingMonitor, GradientAscent, GradientSurgery
from tests.strategies import _fits as fits
from tests.strategies._cases import every_case, named
from tests.strategies._laws import loaders_for
from tests.strategies._modules import BatchNormed, Net, sgd
from tests.strategies._probes import Nosy

orders = pytest.mark.parametrize("first", [True, False], ids=["before", "behind"])


def beside(strategy, other, first):
    return [other, strategy] if first else [strategy, other]


def path_of(case, epochs=2, **trainer):
    """The weights after every step of a run without an average."""
    watch = fits.Watch()
    fits.fit(Net(), loaders_for(case, fits.sides()), case.make(), watch, max_epochs=epochs, **trainer)
    return watch.weights


def mean_of(path):
    return {name: torch.stack([weights[name] for weights in path]).mean(dim=0) for name in path[0]}


# ---- averages of every step --------------------------------------------------------------------------------------
@every_case
@orders
def test_an_exponential_average_is_that_of_the_weights_of_the_strategy(case, first):
    module, decay = Net(), 0.7
    averaging = EMAWeightAveraging(decay=decay)
    fits.fit(module, loaders_for(case, fits.sides()), *beside(case.make(), averaging, first))
    _, start, *path = path_of(case)  # the average begins with the weights after the first step
    average = start
    for weights in path:
        average = {name: decay * average[name] + (1 - decay) * weights[name] for name in weights}
    assert fits.distance(fits.weights(module), average) <= 1e-12
    assert fits.distance(path[-1], average) > 1e-4, (
        "the average is the last point: the test would say nothing"
    )


@every_case
def test_an_equal_average_is_that_of_the_weights_of_the_strategy(case):
    module = Net()
    fits.fit(module, loaders_for(case, fits.sides()), case.make(), WeightAveraging())
    assert fits.distance(fits.weights(module), mean_of(path_of(case)[1:])) <= 1e-12


def test_under_accumulation_the_average_is_over_steps():
    module = Net()
    fits.fit(module, fits.sides(), GradientSurgery(alpha=1.0), WeightAveraging(), accumulate_grad_batches=2)
    path = path_of(named("surgery"), accumulate_grad_batches=2)
    steps = [w for before, w in pairwise(path) if not fits.same(before, w)]
    assert len(steps) == 6
    assert fits.distance(fits.weights(module), mean_of(steps)) <= 1e-12


def test_control_the_average_of_another_strategy_is_seen():
    module = Net()
    fits.fit(module, fits.sides(), GradientSurgery(alpha=0.99), WeightAveraging())
    assert fits.distance(fits.weights(module), mean_of(path_of(named("surgery"))[1:])) > 1e-6


class Validated(Net):
    """With a validation loop, in which the average stands in for the weights."""

    def validation_step(self, batch, batch_idx):
        self.log("validation", self(batch[0]).mean())

    def val_dataloader(self):
        return DataLoader(fits.samples(8, 9), 4)


@orders
def test_validation_with_the_average_does_not_disturb_the_steps(first):
    averages = []
    for module in (Net(), Validated()):
        averaging = EMAWeightAveraging(decay=0.7)
        callbacks = beside(GradientSurgery(alpha=1.0), averaging, first)
        fits.fit(module, fits.sides(), *callbacks, val_check_interval=2, num_sanity_val_steps=0)
        averages.append(fits.weights(module))
    assert fits.same(*averages)


@orders
def test_asking_for_everything_leaves_no_trace_on_the_average(first):
    ends = []
    for strategy in (None, Nosy()):
        module = BatchNormed()
        averaging = EMAWeightAveraging(decay=0.7)
        callbacks = [averaging] if strategy is None else beside(strategy, averaging, first)
        data = fits.sides(dtype=torch.float32)
        fits.fit(module, data if strategy else data["retain"], *callbacks)
        ends.append(fits.weights(module) | dict(module.named_buffers()))
    assert fits.same(*ends)


class Once(DataLoader):
    """Large: not to be copied."""

    def __deepcopy__(self, memo):
        raise AssertionError("a loader was copied with the module")


@pytest.mark.parametrize("averaging", [EMAWeightAveraging, lambda: StochasticWeightAveraging(0.05, 1)])
def test_the_copy_of_the_module_does_not_take_the_data_along(averaging):
    data = {
        name: Once(loader.dataset, 4, generator=loader.generator) for name, loader in fits.sides().items()
    }
    module = Net()
    fits.fit(module, data, GradientSurgery(alpha=1.0), averaging())
    assert "log" not in vars(module)


# ---- what the monitor says beside an average ---------------------------------------------------------------------
@orders
def test_the_monitor_measures_the_weights_that_the_strategy_moves(first):
    histories = []
    for averaging in (None, EMAWeightAveraging(decay=0.9)):
        monitor = ForgettingMonitor(every_n_steps=1, target=None, retain_floor=0.0)
        strategy = GradientSurgery(alpha=1.0)
        callbacks = [strategy] if averaging is None else beside(strategy, averaging, first)
        fits.fit(Net(), fits.sides(), *callbacks, monitor)
        histories.append(monitor.history)
    assert histories[0] == histories[1]
    assert len(histories[0]) == 11


# ---- averages of epochs ------------------------------------------------------------------------------------------
@every_case
@orders
def test_stochastic_weight_averaging_averages_the_starts_of_epochs(case, first):
    module, strategy = Net(), case.make()
    watch = fits.Watch()
    averaging = StochasticWeightAveraging(0.05, swa_epoch_start=2, annealing_epochs=1)
    callbacks = beside(strategy, averaging, first)
    trainer = fits.fit(module, loaders_for(case, fits.sides()), *callbacks, watch, max_epochs=4)
    length = 3 if case.retain_free else 5
    assert trainer.global_step == strategy.progress.step == 4 * length
    starts = [watch.weights[epoch * length] for epoch in (1, 2, 3)]
    assert fits.distance(fits.weights(module), mean_of(starts)) <= 1e-12
    assert fits.distance(watch.weights[-2], fits.weights(module)) > 1e-6


class Watching(GradientSurgery):
    """Keeps the length of the window after each batch."""

    def on_train_batch_end(self, *arguments):
        super().on_train_batch_end(*arguments)
        self.lengths = [*getattr(self, "lengths", []), len(self._attached._window)]


@orders
def test_the_epoch_that_estimates_batch_statistics_sees_retain_data_alone_and_keeps_no_batch(first):
    ends, steps = [], []
    for strategy in (None, Watching(alpha=0.0)):
        module, data = BatchNormed(), fits.sides(dtype=torch.float32)
        averaging = StochasticWeightAveraging(0.05, swa_epoch_start=1)
        callbacks = [averaging] if strategy is None else beside(strategy, averaging, first)
        trainer = fits.fit(module, data if strategy else data["retain"], *callbacks, max_epochs=2)
        ends.append(fits.weights(module) | dict(module.named_buffers()))
        steps.append(trainer.global_step)
        if strategy is not None:
            assert strategy.progress.step == 10
            assert set(strategy.lengths) == {1}
            assert len(strategy.lengths) == 15
    assert fits.same(*ends)
    assert steps[0] == steps[1]


def test_a_strategy_without_retain_batches_cannot_estimate_batch_statistics():
    module, averaging = BatchNormed(), StochasticWeightAveraging(0.05, swa_epoch_start=1)
    start = copy.deepcopy(module.state_dict())
    data = {"forget": fits.sides(dtype=torch.float32)["forget"]}
    with pytest.raises(ConfigurationError, match="must see retain batches"):
        fits.fit(module, data, averaging, GradientAscent())
    assert fits.same(start, module.state_dict())
    fits.fit(module, data, WeightAveraging(), GradientAscent())  # the remedy
    assert module.make_optimizer is sgd
