"""Laws 1, 2 and 4 for every row of the case list."""

import pytest
import torch
from torch.utils.data import DataLoader

from lightning_unlearn import GradientDifference, GradientSurgery, Relabel
from tests.strategies import _laws as laws
from tests.strategies._cases import CASES, Case, cases_with_degenerate_form, every_case, named, surgery
from tests.strategies._fits import CLASSES, fit, samples, shuffled_sides
from tests.strategies._modules import BatchNormed, LoggedCollection, Traces, adamw, lbfgs, sgd
from tests.strategies._probes import Leaky, Nosy, PerMicroBatch

SETTINGS = {
    "plain": {},
    "dict-output": {"output": "dict"},
    "accumulation": {"accumulate": 5},
    "accumulation-with-tail": {"accumulate": 3},
    "clip-norm": {"clip": 0.05},
    "clip-value": {"clip": 0.01, "algorithm": "value"},
    "scaler": {"with_scaler": True},
    "scaler-clip-accumulation": {"with_scaler": True, "clip": 0.05, "accumulate": 2},
    "adamw": {"optimizer": adamw},
    "lbfgs": {"optimizer": lbfgs, "epochs": 1, "amplification": 100.0},
}


COMBINATIONS = [
    pytest.param(case, setting, id=f"{setting}-{case.id}")
    for setting in SETTINGS
    for case in CASES
    if not (case.finite_difference and "scaler" in setting)  # no differences of passes under autocast
]


@pytest.mark.parametrize(("case", "setting"), COMBINATIONS)
def test_a_fit_equals_a_loop_by_hand(case, setting):
    laws.equals_hand_loop(case, **SETTINGS[setting])


@pytest.mark.parametrize("setting", [{}, {"accumulate_grad_batches": 2}, {"gradient_clip_val": 0.05}])
def test_asking_for_everything_leaves_no_trace(setting):
    laws.leaves_no_trace(Nosy, **setting)


def test_a_forget_loader_on_the_global_stream_is_told_of_once():
    loaders = shuffled_sides()
    loaders["forget"] = DataLoader(loaders["forget"].dataset, 4, shuffle=True)
    with pytest.warns(UserWarning, match="generator") as caught:
        fit(Traces(), loaders, GradientSurgery(alpha=1.0))
    assert sum("generator" in str(warning.message) for warning in caught) == 1


def test_batch_norm_in_evaluation_mode_leaves_no_trace_either():
    laws.leaves_no_trace(lambda: Nosy(batch_norm="eval"))


class Validated(Traces):
    """With a validation loop and a scheduler."""

    def validation_step(self, batch, batch_idx):
        self.log("validation", self(batch[0]).mean())

    def val_dataloader(self):
        return DataLoader(samples(8, 9, torch.float32), 4)

    def configure_optimizers(self):
        optimizer = sgd(self.parameters())
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


@pytest.mark.parametrize("setting", [{}, {"val_check_interval": 2}, {"limit_train_batches": 3}], ids=str)
def test_validation_and_schedulers_are_as_ever(setting):
    laws.leaves_no_trace(Nosy, Validated, **setting)


def test_a_logged_metric_collection_keeps_its_values():
    laws.leaves_no_trace(Nosy, LoggedCollection)


@cases_with_degenerate_form
def test_a_strategy_switched_off_is_its_baseline(case):
    laws.degenerates_to_its_baseline(case)


@every_case
@pytest.mark.parametrize("parts", [2, 3])
def test_accumulation_equals_one_larger_batch(case, parts):
    laws.accumulation_equals_one_batch(case, parts=parts)


def test_accumulation_does_not_change_random_labels():
    laws.accumulation_equals_one_batch(
        named("surgery-relabel"),
        lambda: GradientSurgery(alpha=1.0, when="always", objective=Relabel(CLASSES, kind="random")),
    )


PROJECTION = Case("projection", PerMicroBatch, surgery(when="always"))


# ---- negative controls: each law can fail ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "setting"),
    [
        (None, {"limit_train_batches": 4}),
        (PerMicroBatch, {"accumulate": 2}),
        (lambda: GradientSurgery(alpha=0.99, retain_weight=0.0, when="always"), {}),
        (lambda: GradientSurgery(alpha=1.0, retain_weight=0.0, when="conflict"), {}),
    ],
    ids=["one-step-fewer", "combined-per-micro-batch", "another-weight", "another-rule"],
)
def test_control_law_1_fails(make, setting):
    with pytest.raises(AssertionError, match="off the loop by hand"):
        laws.equals_hand_loop(named("surgery-paper"), make, **setting)


def test_control_law_1_holds_where_the_broken_combination_is_right():
    laws.equals_hand_loop(PROJECTION, PerMicroBatch)  # without accumulation the mistake has no effect


@pytest.mark.parametrize("make", [Leaky, lambda: GradientDifference(alpha=1e-7)])
def test_control_law_2_fails(make):
    with pytest.raises(AssertionError):
        laws.leaves_no_trace(make)


def test_control_law_2_fails_if_the_forget_pass_moves_running_statistics():
    with pytest.raises(AssertionError, match="buffers differ"):
        laws.leaves_no_trace(Leaky, BatchNormed)


def test_control_law_4_fails_if_combined_per_micro_batch():
    with pytest.raises(AssertionError, match="apart"):
        laws.accumulation_equals_one_batch(PROJECTION, PerMicroBatch)
