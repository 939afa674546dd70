"""`expected`: what is refused, what is compared, and with which weights."""

import math
from types import SimpleNamespace

import lightning as L
import pytest
import torch
from torch.utils.data import TensorDataset

from lightning_unlearn import (
    ConfigurationError,
    FineTune,
    ForgettingMonitor,
    UnlearningDataModule,
    UnlearningError,
)
from lightning_unlearn._expected import Expected, compare, expected_of, logged_by
from lightning_unlearn.demo import DigitClassifier

QUIET = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")


def trainer(**changed):
    own = {"callback_metrics": {"loss": torch.tensor(0.5)}, "callbacks": [], "global_step": 3}
    state = {"fast_dev_run": False, "interrupted": False, "is_global_zero": True}
    return SimpleNamespace(**(own | state | changed))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1], "`expected` must be values by the names"),
        ({"loss": 0.5}, "`loss` of `expected` must have `value` and `tolerance`, found 0.5"),
        ({"loss": {"value": 1}}, "found no `tolerance`"),
        ({"loss": {"tolerance": 1}}, "found no `value`"),
        ({"loss": {"value": 1, "tolerence": 1}}, "found `tolerence`. Did you mean `tolerance`"),
        ({"loss": {"value": "much", "tolerance": 1}}, "`loss: value` must be a finite number, found 'much'"),
        ({"loss": {"value": math.nan, "tolerance": 1}}, "`loss: value` must be a finite number, found nan"),
        ({"loss": {"value": True, "tolerance": 1}}, "`loss: value` must be a finite number, found True"),
        ({"loss": {"value": 1, "tolerance": -0.1}}, "`loss: tolerance` must be a finite, non-negative"),
        ({"loss": {"value": 1, "tolerance": math.inf}}, "`loss: tolerance` must be a finite, non-negative"),
    ],
)
def test_what_cannot_be_compared_is_refused(given, message):
    with pytest.raises(ConfigurationError) as refused:
        expected_of(given)
    assert message in str(refused.value)


def test_nothing_and_a_negative_value_are_fine(capsys):
    assert expected_of(None) == {}
    assert expected_of({"a": {"value": -1, "tolerance": 0}}) == {"a": Expected(-1.0, 0.0)}
    compare({}, trainer())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("difference", [-0.01, 0.0, 0.01])
def test_a_value_within_its_tolerance_is_printed(capsys, difference):
    compare({"loss": Expected(0.5 + difference, 0.01)}, trainer())
    assert capsys.readouterr().out == f"loss: 0.5, expected {0.5 + difference:g} ± 0.01: within\n"


@pytest.mark.parametrize("found", [0.5, math.nan, math.inf])
def test_a_value_outside_ends_the_run(capsys, found):
    metrics = {"loss": torch.tensor(found), "good": torch.tensor(1.0)}
    expected = {"good": Expected(1.0, 0.0), "loss": Expected(0.52, 0.01)}
    with pytest.raises(UnlearningError, match=r"found loss: \w.*, expected 0.52 ± 0.01\. Look"):
        compare(expected, trainer(callback_metrics=metrics))
    assert [line.rpartition(" ")[2] for line in capsys.readouterr().out.splitlines()] == ["within", "OUTSIDE"]


def test_a_metric_that_was_never_logged_is_named_with_the_closest():
    with pytest.raises(ConfigurationError, match=r"found 'los'. Did you mean `loss`?"):
        compare({"los": Expected(0.5, 1)}, trainer())
    with pytest.raises(ConfigurationError, match="Nothing was logged"):
        compare({"loss": Expected(0.5, 1)}, trainer(callback_metrics={}))


@pytest.mark.parametrize("cut", ["fast_dev_run", "interrupted"])
def test_a_run_that_was_cut_is_not_compared(capsys, cut):
    compare({"loss": Expected(9, 0)}, trainer(**{cut: True}))
    assert capsys.readouterr().out == f"`expected` was not compared: {cut}\n"


def test_only_one_process_speaks(capsys):
    with pytest.raises(UnlearningError, match="within the tolerances"):
        compare({"loss": Expected(9, 0)}, trainer(is_global_zero=False))
    assert capsys.readouterr().out == ""


# ---- real runs -------------------------------------------------------------------------------------------------
class Stop(L.Callback):
    """Stops the run as any callback may."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        trainer.should_stop = trainer.global_step == 3


def fitted(tmp_path, *callbacks):
    images = torch.randn(60, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(images, torch.arange(60) % 10)
    module = DigitClassifier()
    trainer = L.Trainer(
        max_epochs=2,
        accelerator="cpu",
        callbacks=[*callbacks, FineTune()],  # the strategy last, as in the examples
        default_root_dir=tmp_path,
        **dict.fromkeys(QUIET, False),
    )
    split = UnlearningDataModule(data, forget_class=3, test=data, batch_size=9, forget_batch_size=3)
    trainer.fit(module, datamodule=split)
    return trainer, module.eval(), data.tensors


@pytest.mark.parametrize("every", [1, 4, 100])
@pytest.mark.filterwarnings("ignore:.*no `val_dataloader`:UserWarning")
def test_what_is_compared_is_of_the_final_weights(tmp_path, every):
    trainer, module, (images, labels) = fitted(tmp_path, ForgettingMonitor(every, None, 0.0))
    assert trainer.global_step == 12
    with torch.no_grad():
        right = module(images).argmax(1) == labels
    logged = logged_by(trainer, ["unlearn/test_accuracy"])
    assert logged["unlearn/test_accuracy"] == pytest.approx(right.double().mean().item())
    assert logged["unlearn/retain_accuracy"] == pytest.approx(right[labels != 3].double().mean().item())
    assert logged["train_loss"] == trainer.callback_metrics["train_loss"].item()


@pytest.mark.filterwarnings("ignore:.*no `val_dataloader`:UserWarning")
def test_an_evaluation_of_other_weights_is_not_compared(tmp_path):
    expected = {"unlearn/retain_accuracy": Expected(0.5, 1.0)}
    trainer, *_ = fitted(tmp_path, ForgettingMonitor(2, None, 0.0), Stop())
    with pytest.raises(UnlearningError, match=r"it is of step 2, .* stopped after 3 steps"):
        compare(expected, trainer)
    compare({"train_loss": Expected(0.0, 1e3)}, trainer)  # which is not the monitor's
    trainer, *_ = fitted(tmp_path, ForgettingMonitor(3, None, 0.0), Stop())
    compare(expected, trainer)


def test_the_evaluation_after_an_edit_is_compared(capsys):
    """An edit takes no step, and Lightning has no metrics of it."""
    monitor = ForgettingMonitor()
    monitor.history = [{"step": 0, "unlearn/forget_accuracy": value} for value in (1.0, 0.25)]
    run = trainer(callback_metrics={}, callbacks=[monitor], global_step=0)
    compare({"unlearn/forget_accuracy": Expected(0.25, 0.0)}, run)
    assert "within" in capsys.readouterr().out
