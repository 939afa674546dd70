"""`ForgettingMonitor` stops at its target, and puts the best weights back when the model collapses."""

import re

import lightning.pytorch as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch.utils.data import DataLoader

from lightning_unlearn import (
    FineTune,
    ForgettingMonitor,
    GradientAscent,
    GradientDifference,
    UnlearningDataModule,
)
from lightning_unlearn import monitor as monitor_module
from tests.monitor._setups import (
    CENTRES,
    FORGET,
    RETAIN,
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
from tests.strategies._fits import QUIET, fit

FORGETTING = {"max_epochs": 20}
COLLAPSE = r"Retain accuracy fell to .* below `retain_floor` .* are back .* Lower the learning rate"
collapses = pytest.mark.filterwarnings("ignore:Retain accuracy fell to")


def run(target="holdout", data=None, strategy=None, every=1, floor=0.0, others=(), lr=0.05, **arguments):
    monitor = ForgettingMonitor(every_n_steps=every, target=target, retain_floor=floor, **arguments)
    strategy = strategy or GradientDifference(alpha=0.9)
    trainer, module, _, states = monitored(strategy, data, Clouds(lr), monitor, others, **FORGETTING)
    return trainer, module, monitor, states


def forget_accuracies(monitor):
    return [row["unlearn/forget_accuracy"] for row in monitor.history]


# ---- the target ------------------------------------------------------------------------------------------------
ALONE = clouds(10, 2, classes=(2,))  # a whole class
OTHERS = clouds(20, 1, classes=(0, 1))


@pytest.mark.parametrize("target", [0.0, 0.3, 0.6])
def test_a_number(target):
    trainer, _, monitor, _ = run(target, loaders(ALONE, OTHERS))
    *before, last = forget_accuracies(monitor)
    assert last <= target
    assert min(before) > target
    assert monitor.stopped == "target"
    assert trainer.global_step == steps(monitor)[-1] < 20 * trainer.num_training_batches


def test_none_never_stops():
    trainer, _, monitor, _ = run(None, loaders(ALONE, OTHERS))
    assert forget_accuracies(monitor)[-1] == 0
    assert trainer.global_step == 20 * trainer.num_training_batches
    assert monitor.stopped is None


def test_holdout_is_the_accuracy_of_that_moment_on_test_data():
    trainer, _, monitor, _ = run("holdout", test=DataLoader(TEST, 8), strategy=GradientDifference(alpha=1.5))
    rows = monitor.history
    excess = [row["unlearn/forget_accuracy"] - row["unlearn/test_accuracy"] for row in rows[1:]]
    assert excess[-1] <= 0
    assert all(x > 0 for x in excess[:-1])
    assert monitor.stopped == "target"
    assert trainer.global_step == rows[-1]["step"]


def test_holdout_without_test_data_never_stops():
    trainer, _, monitor, _ = run("holdout", every=40)
    assert monitor.stopped is None
    assert trainer.global_step == 20 * trainer.num_training_batches


def test_labels_that_the_retain_set_does_not_have_are_a_class_to_zero():
    _trainer, _, monitor, _ = run("holdout", loaders(ALONE, OTHERS), test=DataLoader(TEST, 8))
    *before, last = forget_accuracies(monitor)
    assert last == 0
    assert min(before) > 0
    assert monitor.stopped == "target"
    below_test = [r["unlearn/forget_accuracy"] <= r["unlearn/test_accuracy"] for r in monitor.history[:-1]]
    assert any(below_test)  # it did not stop at the accuracy on test data


@pytest.mark.parametrize(
    ("alpha", "goal", "said"),
    [
        (0.0, 0.0, "forgetting has not reached its target.* Take more steps"),
        (0.9, 1.0, "forgetting has cost too much.* but retain accuracy .* Lower the learning rate"),
    ],
)
def test_why_the_target_was_not_reached_is_said(alpha, goal, said, monkeypatch):
    sentences = []
    monkeypatch.setattr(monitor_module, "rank_zero_info", sentences.append)
    strategy = GradientDifference(alpha=alpha)
    _, _, monitor, _ = run(0.0, loaders(ALONE, OTHERS), strategy=strategy, retain_goal=goal)
    assert monitor.stopped is None
    (sentence,) = sentences
    assert re.search(said, sentence)
    last = monitor.history[-1]
    assert (last["unlearn/forget_accuracy"] > 0) == (alpha == 0)
    assert f"forget accuracy is {last['unlearn/forget_accuracy']:.1%}" in sentence


def test_a_model_that_never_knew_the_class_is_asked_about():
    untrained = Clouds()
    torch.nn.init.zeros_(untrained.layer.weight)  # always the first class
    with pytest.warns(UserWarning, match="is this not the trained model"):
        fit(untrained, loaders(ALONE, OTHERS), GradientDifference(), ForgettingMonitor(target=0.0))


@pytest.mark.parametrize("forget_class", [2, [1, 2]])
def test_a_class_named_to_the_datamodule_goes_to_zero(forget_class):
    data = UnlearningDataModule(clouds(20, 1), forget_class=forget_class, test=TEST, batch_size=8)
    _, _, monitor, _ = run("holdout", data, strategy=GradientDifference(alpha=1.0))
    *before, last = forget_accuracies(monitor)
    assert last == 0
    assert min(before) > 0
    assert monitor.stopped == "target"


class Dent(FineTune):
    """From the first step on class 2 is never predicted; up to the third the others are mixed up as well."""

    def on_train_batch_end(self, trainer, pl_module, *arguments):
        super().on_train_batch_end(trainer, pl_module, *arguments)
        own, other = (0, 1) if trainer.global_step > 3 else (1, 0)
        rows = [CENTRES[own] / 2, CENTRES[other] / 2, -CENTRES[2]]
        with torch.no_grad():
            pl_module.layer.weight.copy_(torch.stack(rows))


@pytest.mark.parametrize(("goal", "last"), [(0.0, 1), (0.5, 4)])
def test_a_retain_goal_waits_for_the_repair(goal, last):
    _, _, monitor, _ = run(0.3, loaders(ALONE, OTHERS), Dent(), retain_goal=goal, lr=0.0)
    assert all(row["unlearn/forget_accuracy"] <= 0.3 for row in monitor.history[1:])
    assert steps(monitor)[-1] == last
    assert monitor.stopped == "target"


def test_a_retain_goal_asks_nothing_where_there_is_no_retain_side():
    monitor = ForgettingMonitor(every_n_steps=1, target=0.3, retain_goal=1.0)
    monitored(GradientAscent(), {"forget": DataLoader(ALONE, 5)}, Clouds(), monitor, max_epochs=20)
    assert monitor.stopped == "target"


# ---- the guard -------------------------------------------------------------------------------------------------
class Wreck(GradientDifference):
    """Ordinary fine-tuning for some steps, then a huge step of ascent."""

    def __init__(self, after):
        super().__init__(alpha=0.0)
        self.after = after

    def combine(self, forget, retain):
        return forget.mul_(1e4) if self.progress.step >= self.after else super().combine(forget, retain)


def test_a_collapse_is_rolled_back_to_the_best_weights_bit_for_bit():
    with pytest.warns(UserWarning, match=COLLAPSE):
        trainer, module, monitor, states = run(strategy=Wreck(after=5), floor=0.9, target=None)
    original, last = monitor.history[0]["unlearn/retain_accuracy"], monitor.history[-1]
    assert monitor.stopped == "collapse"
    assert steps(monitor) == [0, 1, 2, 3, 4, 5, 6, 6]
    assert monitor.history[-2]["unlearn/retain_accuracy"] < 0.9 * original
    merit = {
        row["step"]: (-row["unlearn/forget_accuracy"], row["unlearn/retain_accuracy"])
        for row in reversed(monitor.history[:6])
    }
    best = max(merit, key=lambda step: (merit[step], -step))  # of equals the first
    assert same(state(module), states.at[best])
    assert not same(state(module), states.at[6])
    accuracy, loss = numbers(state(module), RETAIN)
    assert accuracy >= 0.9 * original
    assert last["unlearn/retain_accuracy"] == pytest.approx(accuracy, abs=1e-7)
    assert last["unlearn/retain_loss"] == pytest.approx(loss, rel=1e-5)
    assert trainer.global_step == 6


def test_the_warning_names_the_numbers():
    with pytest.warns(UserWarning, match=COLLAPSE) as record:
        _, _, monitor, _ = run(strategy=Wreck(after=2), floor=0.9, target=None)
    (text,) = [str(w.message) for w in record if "Retain accuracy fell" in str(w.message)]
    assert f"fell to {monitor.history[3]['unlearn/retain_accuracy']:.1%} after 3 steps" in text
    assert f"times the original {monitor.history[0]['unlearn/retain_accuracy']:.1%}" in text
    assert f"retain accuracy {monitor.history[-1]['unlearn/retain_accuracy']:.1%}" in text


@collapses
def test_plain_ascent_that_runs_wild_is_caught():
    """Retain data are there to be watched, though the strategy does not use them."""
    _, module, monitor, _ = run(strategy=GradientAscent(), floor=0.9, target=None, lr=5.0)
    assert monitor.stopped == "collapse"
    assert numbers(state(module), RETAIN)[0] >= 0.9 * monitor.history[0]["unlearn/retain_accuracy"]


@pytest.mark.filterwarnings("ignore:.*had a loss or gradient that was not finite")
def test_a_floor_of_zero_turns_the_guard_off():
    trainer, module, monitor, states = run(strategy=Wreck(after=5), floor=0.0, target=None)
    assert monitor.stopped is None
    assert trainer.global_step == 20 * trainer.num_training_batches
    assert same(state(module), states.at[trainer.global_step])


@collapses
def test_a_collapse_counts_before_the_target():
    """Weights that have forgotten everything have reached every target."""
    _, module, monitor, _ = run(0.5, loaders(ALONE, OTHERS), Wreck(after=3), floor=0.9)
    assert monitor.stopped == "collapse"
    assert numbers(state(module), OTHERS)[0] >= 0.9 * monitor.history[0]["unlearn/retain_accuracy"]


@collapses
def test_what_others_are_told_after_a_roll_back_are_the_numbers_of_the_weights_that_are_back(tmp_path):
    checkpoint = ModelCheckpoint(
        tmp_path, monitor="unlearn/retain_accuracy", mode="max", every_n_train_steps=1
    )
    monitor = ForgettingMonitor(every_n_steps=1, target=None, retain_floor=0.9)
    arguments = FORGETTING | {"enable_checkpointing": True}
    trainer, *_ = monitored(Wreck(after=2), None, Clouds(), monitor, [checkpoint], **arguments)
    for name in ("unlearn/retain_accuracy", "unlearn/forget_accuracy"):
        assert float(trainer.callback_metrics[name]) == pytest.approx(monitor.history[-1][name], abs=1e-7)


@collapses
@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`", "ignore:Checkpoint directory")
def test_a_collapse_right_after_a_resume(tmp_path):
    checkpoint = ModelCheckpoint(tmp_path, filename="half", every_n_train_steps=8)
    quiet = QUIET | {"enable_checkpointing": True}
    first = ForgettingMonitor(every_n_steps=1, target=None)
    fit(
        Clouds(),
        loaders(),
        Wreck(after=8),
        first,
        checkpoint,
        enable_checkpointing=True,
        max_steps=8,
        max_epochs=-1,
    )
    resumed, module = ForgettingMonitor(every_n_steps=1, target=None), Clouds()
    trainer = L.Trainer(**quiet, callbacks=[Wreck(after=8), resumed, ModelCheckpoint(tmp_path / "more")])
    trainer.fit(module, loaders(), ckpt_path=tmp_path / "half.ckpt")
    assert resumed.stopped == "collapse"
    assert resumed.history[: len(first.history)] == first.history
    assert numbers(state(module), RETAIN)[0] >= 0.9 * first.history[0]["unlearn/retain_accuracy"]


def test_a_second_fit_starts_with_a_guard_of_its_own():
    monitor = ForgettingMonitor(every_n_steps=1, target=None, retain_floor=0.9)
    with pytest.warns(UserWarning, match=COLLAPSE):
        monitored(Wreck(after=1), monitor=monitor)
    module = Clouds()
    monitored(FineTune(), module=module, monitor=monitor)
    assert monitor.stopped is None
    assert steps(monitor)[-1] == 16
    assert monitor._best is None  # no copy of the weights outlives the run


# ---- Lightning's own callbacks ---------------------------------------------------------------------------------
def test_early_stopping_acts_on_the_forget_accuracy():
    stopping = EarlyStopping(
        "unlearn/forget_accuracy",
        mode="min",
        stopping_threshold=0.3,
        patience=100,
        check_on_train_epoch_end=True,
    )
    trainer, _, monitor, _ = run(None, loaders(ALONE, OTHERS), others=[stopping])
    at_epoch_ends = {r["step"]: r["unlearn/forget_accuracy"] for r in monitor.history}
    per_epoch = trainer.num_training_batches
    expected = next(step for step in range(per_epoch, 1000, per_epoch) if at_epoch_ends[step] < 0.3)
    assert trainer.global_step == stopping.stopped_epoch * per_epoch + per_epoch == expected
    assert monitor.stopped is None


@pytest.mark.parametrize("every", [1, 3])
def test_checkpoints_are_chosen_by_the_retain_accuracy(tmp_path, every):
    checkpoint = ModelCheckpoint(
        tmp_path, "{step}", monitor="unlearn/retain_accuracy", mode="max", every_n_train_steps=every
    )
    monitor = ForgettingMonitor(every_n_steps=every, target=None, retain_floor=0.0)
    _, _, _, states = monitored(
        GradientDifference(alpha=1.5), None, Clouds(), monitor, [checkpoint], enable_checkpointing=True
    )
    scores = {
        r["step"]: r["unlearn/retain_accuracy"]
        for r in monitor.history
        if r["step"] % every == 0 and r["step"]
    }
    assert len(set(scores.values())) > 1
    assert float(checkpoint.best_model_score) == pytest.approx(max(scores.values()), abs=1e-7)
    saved = torch.load(checkpoint.best_model_path, weights_only=True)
    assert scores[saved["global_step"]] == max(scores.values())
    assert same(saved["state_dict"], states.at[saved["global_step"]])


def test_the_forget_set_of_the_setting_is_not_forgotten_by_itself():
    """Control: without a forget part nothing is forgotten, so the runs above stop for a reason."""
    _, module, monitor, _ = run(0.3, strategy=FineTune(), every=20)
    assert monitor.stopped is None
    assert numbers(state(module), FORGET)[0] > 0.8
