"""Laws 2, 5, 7 and 9 for modules that step their optimisers themselves."""

import math
import threading

import pytest
import torch
from torch import nn

from lightning_unlearn import FineTune, GradientSurgery
from tests.manual._cases import BY_LOSS, PASSES_ELSEWHERE
from tests.manual._modules import Gan, ManualNet
from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies import _laws_failure as failure
from tests.strategies._cases import named, rows
from tests.strategies._fits import CLASSES, FEATURES
from tests.strategies._modules import Traces, sgd
from tests.strategies._probes import Nosy

HALF = [case for case in BY_LOSS if not case.finite_difference]


class ManualTraces(Traces):
    """Leaves traces everywhere, and steps its optimiser and its scheduler itself."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self.lr_schedulers().step()
        return {"loss": loss.detach()}

    def configure_optimizers(self):
        optimizer = sgd(self.parameters())
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 4, 0.5)]


class NoisyGan(Gan):
    """Draws its noise, normalises by batch, drops out; the generator's pass waits while the critic steps."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.generator = nn.Sequential(
                nn.Linear(FEATURES, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, FEATURES)
            )
            self.critic = nn.Sequential(nn.Linear(FEATURES, 6), nn.Tanh(), nn.Dropout(0.3), nn.Linear(6, 1))

    def training_step(self, batch, batch_idx):
        real, (critic_optimizer, generator_optimizer) = batch[0], self.optimizers()
        fake = self.generator(torch.randn_like(real))
        self.toggle_optimizer(critic_optimizer)
        loss = nn.functional.softplus(-self.critic(real)).mean()
        loss = loss + nn.functional.softplus(self.critic(fake.detach())).mean()
        self.log("critic", loss, on_step=True, on_epoch=True)
        critic_optimizer.zero_grad()
        self.manual_backward(loss)
        critic_optimizer.step()
        self.untoggle_optimizer(critic_optimizer)
        loss = nn.functional.softplus(-self.critic(fake)).mean()
        self.log("generator", loss, on_step=True, on_epoch=True)
        generator_optimizer.zero_grad()
        self.manual_backward(loss)
        generator_optimizer.step()


@pytest.mark.parametrize("module", [ManualTraces, NoisyGan])
def test_asking_for_everything_leaves_no_trace(module):
    laws.leaves_no_trace(Nosy, module)


@pytest.mark.parametrize("module", [ManualTraces, NoisyGan])
def test_so_does_the_mode_of_batch_normalisation(module):
    laws.leaves_no_trace(lambda: Nosy(batch_norm="eval"), module)


def test_control_a_direction_that_differs_by_little_is_found():
    with pytest.raises(AssertionError):
        laws.leaves_no_trace(lambda: GradientSurgery(alpha=1e-6, when="always"), NoisyGan)


def test_what_the_forget_batch_logs_appears_under_its_own_name():
    logger = fits.Recording()
    fits.fit(NoisyGan(), fits.sides(dtype=torch.float32), GradientSurgery(alpha=1.0), logger=logger)
    assert {"unlearn/forget/critic_step", "unlearn/forget/generator_step"} <= logger.names()
    assert {"unlearn/optimizer_0/grad_cosine", "unlearn/optimizer_1/grad_cosine"} <= logger.names()


# ---- numbers that are not finite ---------------------------------------------------------------------------------
def float32_net():
    return ManualNet(dtype=torch.float32)


@pytest.mark.parametrize("case", rows(*(c for c in HALF if c.uses_forget)))
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_scaler_skips_a_bad_forget_batch(case, value):
    data = failure.loaders_with(case, "forget", 2, value)
    failure.scaler_skips_the_step(case.make, data, 2, float32_net)


@pytest.mark.parametrize("case", rows(*(c for c in BY_LOSS if c.uses_forget)))
def test_without_one_a_bad_forget_batch_leaves_a_retain_only_step(case):
    failure.bad_forget_batch_is_left_out(case, math.nan, make_module=ManualNet)


@pytest.mark.parametrize("case", rows(*(c for c in BY_LOSS if not c.retain_free)))
def test_without_one_a_bad_retain_batch_is_no_step(case):
    failure.bad_retain_batch_is_no_step(case, math.inf, make_module=ManualNet)


# ---- nothing is left behind --------------------------------------------------------------------------------------
class Failing(ManualNet):
    """Raises in the second batch of one side, before or after its step."""

    def __init__(self, error, side, late):
        super().__init__()
        self.error, self.late = error, late
        self.seen = 0
        self.first = fits.sides()[side].dataset[4][0]

    def training_step(self, batch, batch_idx):
        bad = torch.equal(batch[0][0], self.first)
        if bad and not self.late:
            raise self.error
        output = super().training_step(batch, batch_idx)
        if bad:
            raise self.error
        return output


@pytest.mark.parametrize("side", ["retain", "forget"])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_nothing_is_left_behind(error, side, late):
    module = ManualNet() if error is None else Failing(error, side, late)
    before = threading.active_count()
    failure.leaves_nothing_behind(GradientSurgery(alpha=1.0), module, fits.sides(), error)
    assert threading.active_count() == before
    assert all(p.requires_grad for p in module.parameters())


def test_frozen_parameters_stay():
    class Frozen(ManualNet):
        def __init__(self):
            super().__init__()
            self.net[0].requires_grad_(False)

    module = Frozen()
    start = fits.weights(module)
    fits.fit(module, fits.sides(), GradientSurgery(alpha=1.0))
    end = fits.weights(module)
    assert [torch.equal(start[n], end[n]) for n in start] == [True, True, False, False]


# ---- accumulation by hand ----------------------------------------------------------------------------------------
class Accumulating(ManualNet):
    """Steps at every second batch."""

    def training_step(self, batch, batch_idx):
        loss = nn.functional.cross_entropy(self(batch[0]), batch[1])
        if batch_idx % 2 == 0:
            self.optimizers().zero_grad()
        self.manual_backward(loss / 2)
        if batch_idx % 2 == 1:
            self.optimizers().step()


BY_PREDICTIONS = (
    "surgery-uniform",
    "surgery-bounded",
    "surgery-weighted",
    "ascent-weighted",
    "sfron",
    "pgu",
    "redirect",
)
BY_GRADIENT = [
    c for c in BY_LOSS if c.outer is named("surgery").outer and not c.id.startswith(PASSES_ELSEWHERE)
]


@pytest.mark.parametrize("case", rows(*(c for c in BY_GRADIENT if not c.id.startswith(BY_PREDICTIONS))))
def test_gradients_of_each_side_accumulate_by_themselves(case):
    ends = []
    for module, batch_size in ((ManualNet(), 8), (Accumulating(), 4)):
        loaders = laws.loaders_for(case, fits.sides(retain=24, forget=24, batch_size=batch_size))
        fits.fit(module, loaders, case.make())
        ends.append(fits.weights(module))
    assert fits.distance(fits.weights(ManualNet()), ends[0]) > 1e-3
    assert fits.distance(*ends) <= 1e-12


def test_strategies_that_never_ask_the_forget_side_start_no_second_run():
    module = ManualNet()
    fits.fit(module, fits.sides(), FineTune())
    assert module.calls == 10
    assert CLASSES == 3
