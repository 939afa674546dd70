"""Losses and derivatives of a side, against autograd on the whole window, in float64."""

import pytest
import torch
from torch import nn

from lightning_unlearn import Bounded, ConfigurationError, Gradient, Holdout, Objective
from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies._cases import LEVEL, ascent, bounded, holdout, identity
from tests.strategies._loops import Hand
from tests.strategies._modules import Net, plain_sgd
from tests.strategies._probes import Asking


class Curved(Objective):
    """`exp(mean loss)`: every derivative of the outer function matters."""

    def loss(self, module, batch, context):
        return context.training_loss(batch)

    def outer(self, loss):
        return loss.exp()


OBJECTIVES = {
    "ascent": (lambda: None, ascent, identity),
    "bounded": (lambda: Bounded(1e-3), bounded, identity),
    "holdout": (lambda: Holdout(LEVEL), nn.functional.cross_entropy, holdout(LEVEL)),
    "curved": (Curved, nn.functional.cross_entropy, torch.exp),
}
objectives = pytest.mark.parametrize("objective", OBJECTIVES)
windows = pytest.mark.parametrize("accumulate", [1, 5, 3])  # 3: the last window has two batches of three


def flat(gradient):
    return torch.cat([t.reshape(-1) for t in gradient.tensors])


def compare(objective, accumulate, ask, by_hand, tolerance):
    """`ask` of every window of an epoch, against `by_hand` of the weights that the window was entered with."""
    make, term, outer = OBJECTIVES[objective]
    strategy, watch = Asking(ask, objective=make()), fits.Watch()
    module, loaders = Net(), fits.sides()
    pairs, labels = fits.pairs(loaders), loaders["forget"].dataset.tensors[1]
    fits.fit(module, loaders, strategy, watch, max_epochs=1, accumulate_grad_batches=accumulate)
    starts = range(0, len(pairs), accumulate)
    assert len(strategy.answers) == len(starts)
    for start, answer in zip(starts, strategy.answers, strict=True):
        net = Net()
        net.load_state_dict(watch.weights[start])
        hand = Hand(net.net, pairs[start : start + accumulate], accumulate, term, outer, labels)
        for left, right in zip(answer, by_hand(hand), strict=True):
            right = torch.as_tensor(right)
            size = max(1.0, float(right.abs().max()))
            assert float((left - right).abs().max()) <= tolerance * size
            assert float(right.abs().max()) > 1e-6


@objectives
@windows
def test_losses_are_means_over_the_window(objective, accumulate):
    def ask(forget, retain):
        return forget.loss, retain.loss

    def by_hand(hand):  # without the division by `accumulate_grad_batches`
        return (
            hand.forget_loss(hand.theta).detach() / hand.share,
            hand.retain_loss(hand.theta).detach() / hand.share,
        )

    compare(objective, accumulate, ask, by_hand, 1e-13)


@pytest.mark.parametrize(("accumulate", "shares"), [(1, [1.0] * 5), (2, [1.0, 1.0, 0.5]), (3, [1.0, 2 / 3])])
def test_the_share_is_what_lightning_divides_by_too_much(accumulate, shares):
    strategy = Asking(lambda forget, retain: (forget.share, retain.share))
    fits.fit(Net(), fits.sides(), strategy, max_epochs=1, accumulate_grad_batches=accumulate)
    assert strategy.answers == [(share, share) for share in shares]


@objectives
@windows
def test_gradients(objective, accumulate):
    def ask(forget, retain):
        return flat(forget.gradient()), flat(retain.gradient()).clone()

    compare(objective, accumulate, ask, lambda hand: (hand.u, hand.g), 1e-13)


@objectives
@windows
def test_gradients_elsewhere(objective, accumulate):
    def ask(forget, retain):
        shift = retain.gradient() * -0.5
        return flat(forget.gradient(at=shift)), flat(retain.gradient(at=shift))

    compare(
        objective, accumulate, ask, lambda hand: (hand.u_at(-0.5 * hand.g), hand.g_at(-0.5 * hand.g)), 1e-12
    )


@objectives
@windows
@pytest.mark.parametrize(("method", "tolerance"), [("double_backward", 1e-10), ("finite_difference", 1e-7)])
def test_hessian_vector_products(objective, accumulate, method, tolerance):
    def ask(forget, retain):
        v = retain.gradient()
        return [flat(side.hessian_vector_product(v, method=method)) for side in (forget, retain)]

    def by_hand(hand):
        return hand.forget_hessian @ hand.g, hand.retain_hessian @ hand.g

    compare(objective, accumulate, ask, by_hand, tolerance)


def test_a_hessian_vector_product_is_linear_in_the_vector():
    def ask(forget, retain):
        v = retain.gradient().clone()
        one, three = (retain.hessian_vector_product(v * c) for c in (1.0, 3.0))
        return float((three - one * 3.0).norm() / three.norm())

    strategy = Asking(ask)
    fits.fit(Net(), fits.sides(), strategy)
    assert max(strategy.answers) <= 1e-14


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_central_differences_do_not_depend_on_the_length_of_the_vector(scale):
    def ask(forget, retain):
        v = retain.gradient() * scale
        exact = retain.hessian_vector_product(v)
        return float(
            (retain.hessian_vector_product(v, method="finite_difference") - exact).norm() / exact.norm()
        )

    strategy = Asking(ask)
    fits.fit(Net(), fits.sides(), strategy)
    assert max(strategy.answers) <= 1e-7


@pytest.mark.parametrize("method", ["double_backward", "finite_difference"])
def test_a_zero_vector_has_a_zero_product(method):
    def ask(forget, retain):
        return float(retain.hessian_vector_product(retain.gradient() * 0.0, method=method).norm())

    strategy = Asking(ask)
    fits.fit(Net(), fits.sides(), strategy)
    assert strategy.answers == [0.0] * 10


def test_central_differences_agree_in_float32_for_a_smooth_net():
    def ask(forget, retain):
        v = forget.gradient()
        exact = retain.hessian_vector_product(v)
        return float(
            (retain.hessian_vector_product(v, method="finite_difference") - exact).norm() / exact.norm()
        )

    strategy = Asking(ask)
    fits.fit(Net(plain_sgd, dtype=torch.float32), fits.sides(dtype=torch.float32), strategy)
    assert max(strategy.answers) <= 1e-2


def test_a_shift_of_nothing_changes_nothing():
    def ask(forget, retain):
        away = forget.gradient(at=Gradient(dict.fromkeys(retain.gradient().names)))
        return float((away - forget.gradient()).norm())

    strategy = Asking(ask)
    fits.fit(Net(), fits.sides(), strategy)
    assert strategy.answers == [0.0] * 10


def test_weights_come_back_after_a_pass_elsewhere():
    def ask(forget, retain):
        before = fits.weights(strategy._session.module)
        forget.gradient(at=retain.gradient() * 0.3)
        return fits.same(before, fits.weights(strategy._session.module))

    strategy = Asking(ask)
    fits.fit(Net(), fits.sides(), strategy)
    assert strategy.answers == [True] * 10


def test_a_loss_that_ignores_its_parameters_is_refused_with_a_remedy():
    class Detached(Objective):
        def loss(self, module, batch, context):
            return context.training_loss(batch).detach()

    with pytest.raises(ConfigurationError, match="must depend on a trainable parameter"):
        fits.fit(Net(), fits.sides(), Asking(lambda f, r: f.gradient(), objective=Detached()))


# ---- where central differences must not be taken -----------------------------------------------------------------
def differences(forget, retain):
    return retain.hessian_vector_product(retain.gradient(), method="finite_difference")


def test_central_differences_are_refused_in_half_precision():
    with pytest.raises(ConfigurationError, match=r"at least float32, found.*bfloat16"):
        fits.fit(
            Net(dtype=torch.float32),
            fits.sides(dtype=torch.float32),
            Asking(differences),
            precision="bf16-true",
        )


@pytest.mark.parametrize("setting", [{"precision": "bf16-mixed"}, {"plugins": [laws.scaler()]}])
def test_central_differences_are_refused_or_right_under_autocast(setting):
    def ask(forget, retain):
        v = forget.gradient()
        exact = retain.hessian_vector_product(v)
        return float(
            (retain.hessian_vector_product(v, method="finite_difference") - exact).norm() / exact.norm()
        )

    strategy = Asking(ask)
    try:
        fits.fit(Net(dtype=torch.float32), fits.sides(dtype=torch.float32), strategy, **setting)
    except ConfigurationError as error:
        assert "float32" in str(error)  # noqa: PT017
        return
    assert max(strategy.answers) <= 0.1, max(strategy.answers)


class Kinked(Net):
    def build(self):
        return nn.Sequential(nn.Linear(fits.FEATURES, 5), nn.ReLU(), nn.Linear(5, fits.CLASSES))


def test_central_differences_warn_about_piecewise_linear_nets_in_float32():
    with pytest.warns(UserWarning, match="piecewise linear networks in float32, found `net.1`"):
        fits.fit(Kinked(dtype=torch.float32), fits.sides(dtype=torch.float32), Asking(differences))


def test_they_do_not_warn_in_float64_or_for_smooth_nets():
    fits.fit(Kinked(), fits.sides(), Asking(differences))
    fits.fit(Net(dtype=torch.float32), fits.sides(dtype=torch.float32), Asking(differences))
