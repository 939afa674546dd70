"""LUR is the gradient of what it says it descends; what dropping the Hessian costs; and where a second derivative is missing."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

from lightning_unlearn import LUR, Ascent, Bounded, ConfigurationError, Holdout
from tests.strategies import _fits as fits
from tests.strategies._cases import LEVEL, ascent, bounded, holdout, identity
from tests.strategies._loops import Hand
from tests.strategies._modules import Net, plain_sgd

WEIGHTS = {"retain_weight": 0.7, "forget_weight": 2.0}
LOSSES = {
    "default": (None, partial(bounded, offset=1e-6), identity),
    "ascent": (Ascent(), ascent, identity),
    "outer": (Holdout(LEVEL), cross_entropy, holdout(LEVEL)),
}


def flat(weights):
    return torch.cat([t.reshape(-1) for t in weights.values()]).numpy()


def by_hand(name):
    """The first window of `fits.sides()`, at the weights that `Net` starts with."""
    window = fits.pairs(fits.sides())[:1]
    return Hand(Net().net, window, 1, *LOSSES[name][1:], fits.samples(12, 2).tensors[1])


def direction(strategy, module=None, **trainer):
    """The direction of the first step, by the way that the weights go."""
    module = Net(plain_sgd) if module is None else module
    start = flat(fits.weights(module))
    fits.fit(module, fits.sides(), strategy, max_steps=1, **trainer)
    return (start - flat(fits.weights(module))) / 0.1


def lur(name, alpha, **arguments):
    return direction(LUR(alpha, **WEIGHTS, objective=LOSSES[name][0], **arguments))


@pytest.mark.parametrize(
    ("second_order", "tolerance"), [("double_backward", 1e-8), ("finite_difference", 1e-7)]
)
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("alpha", [0.01, 0.5])
def test_the_direction_is_the_gradient_of_its_objective_by_central_differences(
    name, alpha, second_order, tolerance
):
    hand = by_hand(name)

    def objective(shift):
        ahead = hand.theta + torch.from_numpy(shift - alpha * hand.g_at(shift))
        retain = hand.retain_loss(hand.theta + torch.from_numpy(shift))
        return 0.7 * float(retain) + 2.0 * float(hand.forget_loss(ahead))

    step, units = 1e-5, np.eye(len(hand.theta))
    slopes = [(objective(step * e) - objective(-step * e)) / (2 * step) for e in units]
    found = lur(name, alpha, second_order=second_order)
    assert np.abs(found - slopes).max() <= tolerance * np.abs(slopes).max()


ALPHAS = [0.08, 0.04, 0.02, 0.01]


@pytest.mark.parametrize("name", LOSSES)
def test_dropping_the_hessian_is_wrong_at_the_first_order_of_alpha(name):
    hand = by_hand(name)
    apart = [lur(name, a) - lur(name, a, first_order=True) for a in ALPHAS]
    sizes = np.array([np.linalg.norm(d) for d in apart])
    np.testing.assert_allclose(sizes[:-1] / sizes[1:], 2.0, atol=0.1)
    missing = -2.0 * hand.retain_hessian @ hand.u
    assert np.linalg.norm(apart[-1] / ALPHAS[-1] - missing) < 0.1 * np.linalg.norm(missing)


@pytest.mark.parametrize("name", LOSSES)
def test_to_first_order_it_rewards_agreement_of_the_gradients(name):
    """The gradient of `w_f (F − α ⟨∇F, g_r⟩)` is met up to the square of alpha."""
    hand = by_hand(name)
    reward = hand.forget_hessian @ hand.g + hand.retain_hessian @ hand.u
    errors = [np.linalg.norm(lur(name, a) - (0.7 * hand.g + 2.0 * (hand.u - a * reward))) for a in ALPHAS]
    np.testing.assert_allclose(np.array(errors[:-1]) / errors[1:], 4.0, atol=0.6)


@pytest.mark.parametrize(
    ("arguments", "passes"),
    [({}, 3), ({"first_order": True}, 2), ({"second_order": "finite_difference"}, 4), ({"alpha": 0.0}, 2)],
)
def test_passes_of_a_step(arguments, passes):
    module = Net()
    fits.fit(module, fits.sides(), LUR(**{"alpha": 0.01, "objective": Ascent(), **arguments}), max_steps=1)
    assert module.calls == passes


def test_the_curvature_that_is_reported_is_a_rayleigh_quotient():
    hand, logger, alpha = by_hand("default"), fits.Recording(), 0.5
    direction(LUR(alpha), logger=logger)
    (reported,) = [m["unlearn/alpha_curvature"] for _, m in logger.records if "unlearn/alpha_curvature" in m]
    v = hand.u_at(-alpha * hand.g)
    assert reported == pytest.approx(
        alpha * v @ hand.retain_hessian @ v / (v @ v), rel=1e-6
    )  # logs are float32
    assert abs(reported) <= alpha * np.abs(np.linalg.eigvalsh(hand.retain_hessian)).max()


class Attention(Net):
    """Fused attention has no second derivative on most devices."""

    def build(self):
        return nn.Sequential(nn.Linear(fits.FEATURES, 24), nn.Linear(8, fits.CLASSES))

    def forward(self, inputs):
        q, k, v = self.net[0](inputs).view(len(inputs), 1, 3, 8).split(1, dim=2)
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.FLASH_ATTENTION):
            return self.net[1](scaled_dot_product_attention(q, k, v).view(len(inputs), 8))


def test_fused_attention_is_refused_with_the_argument_that_helps():
    module = Attention(plain_sgd)
    start = fits.weights(module)
    with pytest.raises(
        ConfigurationError, match=r'twice differentiable.*Use .*`second_order="finite_difference"`'
    ):
        fits.fit(module, fits.sides(), LUR())
    assert fits.same(start, fits.weights(module))
    fits.fit(module, fits.sides(), LUR(second_order="finite_difference"))
    assert fits.finite(fits.weights(module))
    assert not fits.same(start, fits.weights(module))


def test_the_default_objective_is_bounded():
    assert isinstance(LUR().objective, Bounded)


@pytest.mark.parametrize("name", ["alpha", "retain_weight", "forget_weight"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "0.5", True, None])
def test_weights_are_finite_and_not_negative(name, value):
    with pytest.raises(
        ConfigurationError, match=f"`{name}` must be a finite, non-negative number, found {value!r}"
    ):
        LUR(**{name: value})


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_first_order_is_a_truth_value(value):
    with pytest.raises(ConfigurationError, match=f"`first_order` must be true or false, found {value!r}"):
        LUR(first_order=value)


@pytest.mark.parametrize("value", ["exact", "", None, True])
def test_second_order_is_one_of_two_words(value):
    with pytest.raises(ConfigurationError) as raised:
        LUR(second_order=value)
    expected = f'`second_order` must be "double_backward" or "finite_difference", found {value!r}.'
    assert str(raised.value) == expected
