"""What changes the course of a run: accumulation that grows, loaders made anew, validation, sanity checks."""

import copy

import lightning.pytorch as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, GradientAccumulationScheduler
from torch import nn
from torch.utils.data import DataLoader

from lightning_unlearn import GradientSurgery
from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies._cases import every_case, named
from tests.strategies._loops import Hand
from tests.strategies._modules import Net, Traces, sgd
from tests.strategies._probes import Nosy, PerMicroBatch


# ---- accumulation that grows -------------------------------------------------------------------------------------
def scheduled_by_hand(net, pairs, case, sizes):
    """A loop whose window has `sizes[epoch]` micro-batches, the last one of an epoch what is left."""
    original, net = net, copy.deepcopy(net)
    parameters = list(net.parameters())
    optimizer = sgd(parameters)
    steps = 0
    for size in sizes:
        for start in range(0, len(pairs), size):
            hand = Hand(
                net, pairs[start : start + size], size, case.term, case.outer, case.forget_labels, original,
                case.penalty, step=steps, total=len(pairs) * len(sizes),
            )  # fmt: skip
            flat = torch.from_numpy(np.array(case.direction(hand)))
            before = nn.utils.parameters_to_vector(parameters).detach().clone()
            for p, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
                p.grad = part.reshape(p.shape).clone()
            optimizer.step()
            steps += 1
            after = nn.utils.parameters_to_vector(parameters).detach()
            nn.utils.vector_to_parameters(case.held(original, before, after, steps - 1), parameters)
    return [p.detach() for p in parameters], steps


def off_the_schedule(case, make=None, sizes=(1, 2, 2, 4), schedule=None):
    module, strategy = Net(), (make or case.make)()
    loaders = laws.loaders_for(case, fits.sides())
    by_hand, steps = scheduled_by_hand(module.net, fits.pairs(loaders), case, sizes)
    scheduler = GradientAccumulationScheduler(schedule or {0: 1, 1: 2, 3: 4})
    trainer = fits.fit(module, loaders, strategy, scheduler, max_epochs=len(sizes))
    assert trainer.global_step == strategy.progress.step == steps
    end = fits.weights(module)
    return fits.distance(end, dict(zip(end, by_hand, strict=True))) / max(1.0, *map(_largest, by_hand))


def _largest(tensor):
    return float(tensor.abs().max())


@every_case
def test_a_growing_accumulation_with_tails_equals_a_loop_by_hand(case):
    assert off_the_schedule(case) <= case.tolerance * 10


def test_control_another_schedule_is_seen():
    with pytest.raises(AssertionError):
        off_the_schedule(named("surgery-paper"), schedule={0: 1, 1: 3})


def test_control_combination_per_micro_batch_is_seen():
    assert off_the_schedule(named("surgery-paper"), PerMicroBatch) > 1e-4


# ---- loaders made anew -------------------------------------------------------------------------------------------
class Fresh(L.LightningDataModule):
    """Other samples in every epoch."""

    def __init__(self):
        super().__init__()
        self.made = 0

    def train_dataloader(self):
        self.made += 1
        return {
            "retain": DataLoader(fits.samples(20, 10 + self.made), 4),
            "forget": DataLoader(fits.samples(12, 20 + self.made), 4, generator=torch.Generator()),
        }


def test_loaders_that_are_made_anew_every_epoch_are_used():
    module, data = Net(), Fresh()
    fits.fit(module, data, GradientSurgery(alpha=1.0), max_epochs=3, reload_dataloaders_every_n_epochs=1)
    assert data.made == 3
    net, case = copy.deepcopy(Net().net), named("surgery")
    parameters = list(net.parameters())
    optimizer = sgd(parameters)
    for epoch in range(3):
        one = Fresh()
        one.made = epoch
        for pair in fits.pairs(one.train_dataloader()):
            hand = Hand(net, [pair], 1, case.term, case.outer, case.forget_labels)
            nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(parameters), parameters)
            flat = torch.from_numpy(np.array(case.direction(hand)))
            for p, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
                p.grad = part.reshape(p.shape).clone()
            optimizer.step()
    end = fits.weights(module)
    assert fits.distance(end, dict(zip(end, [p.detach() for p in parameters], strict=True))) <= 1e-12


# ---- no trace under options that change when things happen -------------------------------------------------------
class Validated(Traces):
    def validation_step(self, batch, batch_idx):
        self.log("validation", self(batch[0]).mean())

    def val_dataloader(self):
        return DataLoader(fits.samples(8, 9, torch.float32), 4)


OPTIONS = {
    "val_check_interval-float": {"val_check_interval": 0.4},
    "val_check_interval-int": {"val_check_interval": 2},
    "across-epochs": {"val_check_interval": 3, "check_val_every_n_epoch": None},
    "sanity": {"num_sanity_val_steps": 2},
    "deterministic": {"deterministic": True},
    "benchmark": {"benchmark": True},
    "detect_anomaly": {"detect_anomaly": True},
    "reload": {"reload_dataloaders_every_n_epochs": 1},
    "several": {
        "deterministic": True,
        "detect_anomaly": True,
        "val_check_interval": 2,
        "gradient_clip_val": 0.1,
    },
}


@pytest.fixture
def _flags():
    """Flags of torch that a Trainer sets for the whole process."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    yield
    torch.use_deterministic_algorithms(before[0])
    torch.backends.cudnn.benchmark = before[1]


@pytest.mark.usefixtures("_flags")
@pytest.mark.parametrize("option", OPTIONS)
def test_no_trace_is_left_under_the_option(option):
    laws.leaves_no_trace(Nosy, Validated, epochs=2, **OPTIONS[option])


@pytest.mark.usefixtures("_flags")
@every_case
def test_deterministic_algorithms_and_anomaly_detection_change_no_weight(case):
    ends = []
    for options in ({}, {"deterministic": True, "detect_anomaly": True}):
        module = Net()
        fits.fit(module, laws.loaders_for(case, fits.sides()), case.make(), **options)
        ends.append(fits.weights(module))
    assert fits.same(*ends)


# ---- early stopping on what a strategy reports -------------------------------------------------------------------
STOPS = [
    ("unlearn/grad_cosine", {"mode": "min", "stopping_threshold": 1.0}),
    ("unlearn/conflict_rate", {"mode": "max", "stopping_threshold": -1.0}),
    ("unlearn/forget/loss_epoch", {"mode": "max", "stopping_threshold": 0.0}),
]


@pytest.mark.parametrize(("key", "options"), STOPS)
def test_early_stopping_can_watch_what_a_strategy_reports(key, options):
    stopping = EarlyStopping(key, check_on_train_epoch_end=True, **options)
    trainer = fits.fit(Net(), fits.sides(), GradientSurgery(alpha=1.0), stopping, max_epochs=5)
    assert (trainer.current_epoch, trainer.global_step) == (1, 5)


def test_control_early_stopping_waits_for_its_threshold():
    stopping = EarlyStopping("unlearn/forget/loss_epoch", mode="max", patience=9, stopping_threshold=1e6)
    assert fits.fit(Net(), fits.sides(), GradientSurgery(alpha=1.0), stopping, max_epochs=3).global_step == 15
