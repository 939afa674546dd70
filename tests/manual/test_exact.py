"""Laws 1 and 2 for modules that step their optimisers themselves."""

import pytest

from tests.manual._cases import ADVERSARIAL, BY_LOSS
from tests.manual._loops import hand_play
from tests.manual._modules import ClosureNet, Gan, ManualNet
from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies._cases import named, rows
from tests.strategies._modules import Net, adamw, lbfgs

every_case = pytest.mark.parametrize("case", rows(*BY_LOSS))
every_adversarial_case = pytest.mark.parametrize("case", rows(*ADVERSARIAL))


@every_case
@pytest.mark.parametrize(
    "setting",
    [{}, {"with_scaler": True}, {"optimizer": adamw}, {"output": "dict"}],
    ids=["plain", "scaler", "adamw", "dict"],
)
def test_one_optimiser_equals_the_loop_by_hand(case, setting):
    if case.finite_difference and "with_scaler" in setting:
        pytest.skip("no differences of passes under autocast")
    laws.equals_hand_loop(case, module=ManualNet, **setting)


@every_case
def test_it_equals_automatic_optimisation(case):
    ends = []
    for make in (Net, ManualNet):
        module = make()
        fits.fit(module, laws.loaders_for(case, fits.sides()), case.make())
        ends.append(fits.weights(module))
    assert fits.distance(*ends) <= 1e-14


@every_case
def test_an_optimiser_that_calls_its_closure_many_times(case):
    laws.equals_hand_loop(case, module=ClosureNet, optimizer=lbfgs, epochs=1, amplification=100.0)


def plays(case, module, order, make=None, **hand):
    """Both players end where the loop by hand does."""
    loaders = laws.loaders_for(case, fits.sides())
    by_hand = hand_play(
        module.critic, module.generator, module.make_optimizer, fits.pairs(loaders), case, order, **hand
    )
    fits.fit(module, loaders, (make or case.make)())
    error = fits.distance(by_hand, fits.weights(module))
    assert error <= max(1e-12, case.tolerance), f"{error:.2e} off the loop by hand"


@every_adversarial_case
@pytest.mark.parametrize("style", ["plain", "toggled", "shared", "closure"])
def test_every_step_sees_both_gradients_at_its_own_weights(case, style):
    plays(case, Gan(style), ["critic", "generator"])


@every_adversarial_case
def test_several_steps_of_one_optimiser_in_a_batch(case):
    plays(case, Gan("toggled", critic_steps=3), ["critic", "critic", "critic", "generator"])


def test_what_is_clipped_is_the_direction():
    plays(named("surgery-paper"), Gan(clip=0.01), ["critic", "generator"], clip=0.01)
