"""What `ForgettingMonitor` measures, when, and that measuring changes nothing."""

import math
import random

import lightning.pytorch as L
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from lightning_unlearn import (
    ConfigurationError,
    FineTune,
    ForgettingMonitor,
    GradientAscent,
    GradientDifference,
    GradientSurgery,
    UnlearningDataModule,
)
from tests.monitor._setups import (
    FORGET,
    RETAIN,
    SETS,
    TEST,
    Clouds,
    clouds,
    loaders,
    monitored,
    numbers,
    same,
    state,
    steps,
)
from tests.strategies._fits import QUIET, fit, seed_all, shuffled_sides, streams
from tests.strategies._modules import Traces


def observer(**arguments):
    return ForgettingMonitor(**{"every_n_steps": 1, "target": None, "retain_floor": 0.0, **arguments})


def test_values_are_those_of_numpy_and_scikit_learn():
    monitor = observer(test=DataLoader(TEST, 7))
    *_, states = monitored(GradientDifference(alpha=0.1), monitor=monitor)
    assert steps(monitor) == list(range(17))  # 8 batches in each of two epochs, and before the first
    for row in monitor.history:
        assert list(row) == ["step", *(f"unlearn/{s}_{m}" for s in SETS for m in ("accuracy", "loss"))]
        for side, data in SETS.items():
            accuracy, loss = numbers(states.at[row["step"]], data)
            assert row[f"unlearn/{side}_accuracy"] == pytest.approx(accuracy, abs=1e-7)
            assert row[f"unlearn/{side}_loss"] == pytest.approx(loss, rel=1e-5)
    assert len({row["unlearn/forget_accuracy"] for row in monitor.history}) > 1
    assert all(type(value) in (int, float) for row in monitor.history for value in row.values())


def test_the_test_set_comes_from_the_datamodule():
    data = UnlearningDataModule(RETAIN, forget=range(20), test=TEST, batch_size=8)
    _, _, monitor, states = monitored(FineTune(), data)
    assert monitor.history[0]["unlearn/test_accuracy"] == pytest.approx(numbers(states.at[0], TEST)[0])
    own = observer(test=DataLoader(FORGET, 8))
    monitored(
        FineTune(), UnlearningDataModule(RETAIN, forget=range(20), test=TEST, batch_size=8), monitor=own
    )
    assert own.history[0]["unlearn/test_accuracy"] == pytest.approx(numbers(states.at[0], FORGET)[0])


@pytest.mark.parametrize(
    ("arguments", "every_n_steps", "expected"),
    [
        ({"max_epochs": 1}, 3, [0, 3, 6, 8]),
        ({"max_epochs": 2}, 3, [0, 3, 6, 8, 9, 12, 15, 16]),
        ({"max_epochs": 1}, 100, [0, 8]),
        ({"max_epochs": -1, "max_steps": 5}, 100, [0, 5]),
        ({"max_epochs": 1, "accumulate_grad_batches": 3}, 1, [0, 1, 2, 3]),
        ({"max_epochs": 2, "accumulate_grad_batches": 3}, 2, [0, 2, 3, 4, 6]),
        ({"max_epochs": 10}, None, list(range(0, 81, 4))),
        ({"max_epochs": 1}, None, list(range(9))),
    ],
)
def test_when(arguments, every_n_steps, expected):
    monitor = observer(every_n_steps=every_n_steps)
    monitored(
        FineTune(),
        {"retain": DataLoader(RETAIN, 8), "forget": DataLoader(FORGET, 8, generator=torch.Generator())},
        monitor=monitor,
        **arguments,
    )
    assert steps(monitor) == expected


class Count:
    """A `predict` that counts the rows of each evaluation by the batches' marks."""

    def __init__(self):
        self.rows = 0

    def __call__(self, module, batch):
        self.rows += len(batch[1])
        return module(batch[0]), batch[1]


@pytest.mark.parametrize(("max_samples", "rows"), [(None, 27 + 60), (10, 27 + 10), (5000, 27 + 60)])
def test_each_sample_once_and_at_most_so_many(max_samples, rows):
    monitor = observer(predict=Count(), max_samples=max_samples, every_n_steps=1000)
    monitored(FineTune(), monitor=monitor, max_epochs=1)
    assert monitor.predict.rows == 2 * rows


class Plain(Clouds):
    def forward(self, inputs):
        return self.layer(inputs)


def test_the_chosen_samples_are_the_same_every_time():
    monitor = observer(max_samples=10)
    monitored(FineTune(), module=Plain(lr=0.0), monitor=monitor)
    assert len({row["unlearn/retain_loss"] for row in monitor.history}) == 1
    assert monitor.history[0]["unlearn/retain_loss"] != pytest.approx(numbers_of_all(), rel=1e-3)


def numbers_of_all():
    monitor = observer()
    monitored(FineTune(), module=Plain(lr=0.0), monitor=monitor, max_epochs=1)
    return monitor.history[0]["unlearn/retain_loss"]


# ---- no trace --------------------------------------------------------------------------------------------------
class Seen(L.Callback):
    """What the run looks like from the callbacks behind the monitor."""

    def __init__(self):
        self.modes, self.streams, self.grad = [], [], []

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.modes.append([m.training for m in pl_module.modules()])
        self.streams.append(streams())
        self.grad.append(torch.is_grad_enabled())


class HalfEvaluating(Traces):
    """Keeps one of its layers in evaluation mode, as people do with batch norm; draws even when it is evaluated."""

    def forward(self, inputs):
        return super().forward(inputs + 1e-3 * (torch.rand(1) + random.random() + np.random.rand()))

    def on_train_start(self):
        self.net[1].eval()


def traces_run(*callbacks):
    seed_all()
    module, seen = HalfEvaluating(), Seen()
    predict = lambda module, batch: (module(batch[0]), batch[1])  # noqa: E731
    extra = [observer(every_n_steps=2, predict=predict)] if callbacks else []
    trainer = fit(module, shuffled_sides(), GradientSurgery(alpha=1.0), *extra, seen)
    kept = {
        k: float(v)
        for k, v in trainer.callback_metrics.items()
        if not k.endswith(("_accuracy", "et_loss", "in_loss"))
    }
    return state(module), seen, streams(), kept


def test_a_run_with_a_monitor_is_the_run_without_bit_for_bit():
    (plain, seen, end, metrics), (watched, seen_too, end_too, metrics_too) = (
        traces_run(),
        traces_run("monitor"),
    )
    assert same(plain, watched)
    assert end == end_too
    assert seen.streams == seen_too.streams
    assert seen.modes == seen_too.modes
    assert not all(seen.modes[0])
    assert seen.grad == seen_too.grad
    assert metrics == {k: v for k, v in metrics_too.items() if k in metrics}


class Augmenting(Clouds):
    """Lightning's documented way to augment on the device."""

    def on_after_batch_transfer(self, batch, dataloader_idx):
        return [batch[0] + 5.0, batch[1]] if self.trainer.training else batch


def test_augmentation_of_training_batches_is_left_out():
    _, _, monitor, states = monitored(FineTune(), module=Augmenting())
    for row in monitor.history:
        assert row["unlearn/retain_accuracy"] == pytest.approx(
            numbers(states.at[row["step"]], RETAIN)[0], abs=1e-7
        )


# ---- every kind of run -----------------------------------------------------------------------------------------
def test_barebones():
    bare = {k: v for k, v in QUIET.items() if k in ("accelerator", "devices", "max_epochs")}
    trainer = L.Trainer(
        barebones=True, **bare, callbacks=[GradientDifference(alpha=0.1), monitor := observer()]
    )
    trainer.fit(Clouds(), loaders())
    assert steps(monitor) == list(range(17))


def test_fast_dev_run():
    monitor = observer(predict=Count())
    monitored(GradientDifference(alpha=0.1), monitor=monitor, fast_dev_run=2)
    assert steps(monitor) == [0, 1, 2]
    assert monitor.predict.rows == 3 * 2 * 16  # three evaluations of two batches of both sides


@pytest.mark.parametrize("limit", [2, 0.5])
def test_a_shortened_run_is_still_evaluated_on_everything(limit):
    _, _, monitor, states = monitored(GradientDifference(alpha=0.1), limit_train_batches=limit)
    for row in monitor.history:
        accuracy, _ = numbers(states.at[row["step"]], FORGET)
        assert row["unlearn/forget_accuracy"] == pytest.approx(accuracy, abs=1e-7)


def test_without_a_retain_side():
    monitor = ForgettingMonitor(every_n_steps=1, target=None)
    monitored(GradientAscent(), {"forget": DataLoader(FORGET, 8)}, monitor=monitor, max_epochs=1)
    assert set(monitor.history[-1]) == {"step", "unlearn/forget_accuracy", "unlearn/forget_loss"}
    assert steps(monitor) == [0, 1, 2, 3, 4]


class Mapped(torch.utils.data.Dataset):
    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data)

    def __getitem__(self, i):
        x, y = self.data[i]
        return {"x": x, "y": y}


class MappedClouds(Clouds):
    def training_step(self, batch, batch_idx):
        return super().training_step((batch["x"], batch["y"]), batch_idx)


def test_batches_of_another_structure_need_a_predict():
    data = loaders(Mapped(FORGET), Mapped(RETAIN))
    predict = lambda module, batch: (module(batch["x"]), batch["y"])  # noqa: E731
    _, _, monitor, states = monitored(FineTune(), data, MappedClouds(), observer(predict=predict))
    assert monitor.history[-1]["unlearn/forget_accuracy"] == pytest.approx(numbers(states.at[16], FORGET)[0])
    with pytest.raises(
        ConfigurationError, match=r"`predict` must be given.*batch of type dict.*Pass `predict=`"
    ):
        monitored(FineTune(), data, MappedClouds())


def test_a_forget_side_is_needed():
    message = r'must have the side "forget" to be evaluated, found \[\'retain\'\]'
    with pytest.raises(ConfigurationError, match=message):
        monitored(FineTune(), {"retain": DataLoader(RETAIN, 8)})


def test_two_fits_with_one_monitor():
    monitor = observer()
    monitored(GradientDifference(alpha=0.1), monitor=monitor)
    first = list(monitor.history)
    monitored(GradientDifference(alpha=0.1), monitor=monitor, data=loaders(clouds(5, 8)))
    assert monitor.history[0]["unlearn/retain_accuracy"] == first[0]["unlearn/retain_accuracy"]
    assert monitor.history[0]["unlearn/forget_loss"] != first[0]["unlearn/forget_loss"]
    assert steps(monitor) == list(range(17))
    assert monitor.stopped is None


# ---- arguments -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every_n_steps": 0}, "`every_n_steps` must be a positive integer, found 0."),
        ({"every_n_steps": 1.5}, "`every_n_steps` must be a positive integer, found 1.5."),
        ({"every_n_steps": True}, "`every_n_steps` must be a positive integer, found True."),
        ({"target": -0.1}, "`target` must be a number between 0 and 1, found -0.1."),
        ({"target": 10}, "`target` must be a number between 0 and 1, found 10."),
        ({"target": math.nan}, "`target` must be a number between 0 and 1, found nan."),
        ({"target": True}, "`target` must be a number between 0 and 1, found True."),
        ({"target": "test"}, "`target` must be a number between 0 and 1, \"holdout\" or None, found 'test'."),
        ({"retain_floor": 1.1}, "`retain_floor` must be a number between 0 and 1, found 1.1."),
        ({"retain_floor": None}, "`retain_floor` must be a number between 0 and 1, found None."),
        ({"retain_floor": "0.9"}, "`retain_floor` must be a number between 0 and 1, found '0.9'."),
        ({"retain_goal": -0.1}, "`retain_goal` must be a number between 0 and 1, found -0.1."),
        ({"max_samples": 0}, "`max_samples` must be a positive integer, found 0."),
        ({"max_samples": 10.0}, "`max_samples` must be a positive integer, found 10.0."),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ConfigurationError) as error:
        ForgettingMonitor(**arguments)
    assert str(error.value).startswith(message)
