"""Law 5: numbers that are not finite, and precisions below float32."""

import math
import warnings

import pytest
import torch

from lightning_unlearn import FineTune, GradientAscent, GradientDifference, UnlearningStrategy
from tests.strategies import _fits as fits
from tests.strategies import _laws_failure as laws
from tests.strategies._cases import CASES, cases_with_both_sides, named, rows
from tests.strategies._laws import loaders_for, scaler
from tests.strategies._modules import Net, adamw, sgd
from tests.strategies._probes import Asking, Hiding

# differences of passes in half precision mean nothing: those rows are refused, or may be
HALF = [case for case in CASES if not case.finite_difference]
uses_forget = pytest.mark.parametrize("case", rows(*(c for c in CASES if c.uses_forget)))
uses_forget_in_half = pytest.mark.parametrize("case", rows(*(c for c in HALF if c.uses_forget)))
uses_retain_in_half = pytest.mark.parametrize("case", rows(*(c for c in HALF if not c.retain_free)))
in_half = pytest.mark.parametrize("case", rows(*HALF))
uses_retain = pytest.mark.parametrize("case", rows(*(c for c in CASES if not c.retain_free)))
values = pytest.mark.parametrize("value", [math.nan, math.inf])
optimizers = pytest.mark.parametrize("optimizer", [sgd, adamw])


class Cliff(Net):
    """Finite near its weights, infinite far from them."""

    def __init__(self):
        super().__init__(dtype=torch.float32)

    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) + (self.net[0].weight.abs().max() / 50) ** 200


def far(gradient):
    return gradient.map(lambda _, t: torch.full_like(t, 100.0))


def huge(gradient):
    return gradient.map(lambda _, t: torch.full_like(t, 3e38))


PASSES = {
    "retain-look-ahead": lambda forget, retain: retain.gradient(at=far(retain.gradient())),
    "forget-look-ahead": lambda forget, retain: forget.gradient(at=far(retain.gradient())),
    "retain-hessian": lambda forget, retain: retain.hessian_vector_product(huge(retain.gradient())),
    "forget-hessian": lambda forget, retain: forget.hessian_vector_product(huge(retain.gradient())),
}
passes = pytest.mark.parametrize("name", PASSES)


class Once(Asking):
    """Overflows in one pass of one step; `used` says whether the result enters the direction."""

    def __init__(self, ask, used):
        super().__init__(ask)
        self.used = used

    def direction(self, forget, retain):
        if self.progress.step != 1:
            return retain.gradient()
        result = self.ask(forget, retain)
        assert not torch.isfinite(result.norm()), "the test is meant to overflow"
        return retain.gradient() + result if self.used else retain.gradient()


# ---- with a scaler -----------------------------------------------------------------------------------------------
@uses_forget_in_half
@values
def test_a_scaler_skips_a_bad_forget_batch(case, value):
    laws.scaler_skips_the_step(case.make, laws.loaders_with(case, "forget", 2, value), 2)


@uses_retain_in_half
@values
def test_a_scaler_skips_a_bad_retain_batch(case, value):
    laws.scaler_skips_the_step(case.make, laws.loaders_with(case, "retain", 2, value), 2)


@passes
@pytest.mark.parametrize("used", [True, False])
def test_a_scaler_skips_an_overflow_in_any_pass(name, used):
    data = fits.sides(20, 20, dtype=torch.float32)
    laws.scaler_skips_the_step(lambda: Once(PASSES[name], used), data, 1, Cliff)


@in_half
def test_a_scaler_skips_nothing_else(case):
    data = loaders_for(case, fits.sides(20, 20, dtype=torch.float32))
    laws.scaler_skips_the_step(case.make, data, -1)


def test_control_a_strategy_that_hides_an_inf_breaks_the_law():
    data = laws.loaders_with(named("difference"), "forget", 1, math.inf)
    with pytest.raises(AssertionError, match="step 1"):
        laws.scaler_skips_the_step(Hiding, data, 1)


@in_half
def test_mixed_float16_is_close_to_float32(case):
    ends = []
    for plugins in ([], [scaler()]):
        module = Net(dtype=torch.float32)
        start = fits.weights(module)
        loaders = loaders_for(case, fits.sides(dtype=torch.float32))
        fits.fit(module, loaders, case.make(), max_epochs=1, plugins=plugins)
        ends.append(torch.cat([(t - start[n]).reshape(-1) for n, t in fits.weights(module).items()]))
    moved = ends[0].norm()
    assert moved > 1e-2
    assert (ends[1] - ends[0]).norm() <= 2e-2 * moved  # float16 has 11 bits: 5e-4 an operation
    assert not torch.equal(*ends), "autocast did not act"


# ---- without one -------------------------------------------------------------------------------------------------
@uses_forget
@values
@optimizers
def test_a_bad_forget_batch_leaves_a_retain_only_step(case, value, optimizer):
    laws.bad_forget_batch_is_left_out(case, value, optimizer)


@uses_retain
@values
@optimizers
def test_a_bad_retain_batch_is_no_step(case, value, optimizer):
    laws.bad_retain_batch_is_no_step(case, value, optimizer)


@passes
def test_an_overflow_in_any_pass_leaves_a_retain_only_step(name):
    ends = []
    for strategy in (FineTune(), Once(PASSES[name], used=True)):
        module = Cliff()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "1 steps of this epoch")
            fits.fit(module, fits.sides(dtype=torch.float32), strategy, max_epochs=1)
        ends.append(fits.weights(module))
    assert fits.same(*ends)


class InPlace(UnlearningStrategy):
    """Adds into the retain gradient: the direction belongs to the Trainer, so why not."""

    def direction(self, forget, retain):
        return retain.gradient().add_(forget.gradient())


def test_a_direction_built_in_place_on_the_retain_gradient_never_writes_nan():
    module = Net()
    data = laws.loaders_with(named("difference"), "forget", 2, math.nan, torch.float64)
    with pytest.warns(UserWarning, match="1 steps of this epoch"):
        fits.fit(module, data, InPlace(), max_epochs=1)
    assert fits.finite(fits.weights(module))


class Divided(UnlearningStrategy):
    """Finite passes, and a direction that is not."""

    def direction(self, forget, retain):
        forget.gradient()
        return retain.gradient() * (torch.zeros(()) / 0.0)


def test_a_direction_that_is_not_finite_is_replaced_by_the_retain_gradient():
    ends = []
    for strategy in (FineTune(), Divided()):
        module = Net()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "5 steps of this epoch")
            fits.fit(module, fits.sides(), strategy)
        ends.append(fits.weights(module))
    assert fits.same(*ends)


def bad_twice_an_epoch():
    loaders = fits.sides(20, 20)
    return loaders | {"forget": fits.poisoned(fits.poisoned(loaders["forget"], 1), 3)}


@pytest.mark.parametrize("make", [GradientDifference, GradientAscent])
def test_it_is_reported_once_an_epoch(make):
    data = bad_twice_an_epoch()
    data = {"forget": data["forget"]} if make is GradientAscent else data
    with pytest.warns(UserWarning, match="steps of this epoch") as caught:
        fits.fit(Net(), data, make(), max_epochs=3)
    told = [str(w.message) for w in caught if "steps of this epoch" in str(w.message)]
    assert len(told) == 3
    assert all(text.startswith("2 steps") for text in told)


def test_control_a_finite_batch_is_not_reported():
    fits.fit(Net(), fits.sides(), GradientDifference(alpha=0.1))  # a warning would be an error


@cases_with_both_sides
def test_control_the_retain_only_law_fails_for_a_finite_batch(case):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        laws.bad_forget_batch_is_left_out(case, 1.0)


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
@in_half
def test_bfloat16_runs_finite(case, precision):
    module = Net(dtype=torch.float32)
    start = fits.weights(module)
    loaders = loaders_for(case, fits.sides(dtype=torch.float32))
    run = fits.fit(module, loaders, case.make(), precision=precision)
    end = fits.weights(module)
    assert fits.finite(end)
    assert run.global_step == 2 * (3 if case.retain_free else 5)
    assert fits.distance(start, end) > 1e-2
    assert next(iter(end.values())).dtype == (torch.bfloat16 if precision == "bf16-true" else torch.float32)
