"""`WeightedAscent`, and losses that are quotients of two means over the window."""

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from lightning_unlearn import ConfigurationError, GradientSurgery, WeightedAscent
from lightning_unlearn.objectives import Context
from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies._cases import Case, hessian_direction, surgery
from tests.strategies._modules import Net
from tests.strategies._probes import Asking, HessianProbe
from tests.strategies._sfron_hand import weighted

NOBODY = torch.nn.Identity()


def weights(losses, **arguments):
    """The coefficients, as derivatives by the losses."""
    losses = torch.tensor(losses, dtype=torch.float64, requires_grad=True)
    value = WeightedAscent(losses=lambda module, batch: batch, **arguments).loss(
        NOBODY, losses, Context(None)
    )
    (gradient,) = torch.autograd.grad(value.numerator / value.divisor, losses)
    return -gradient


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0])
def test_coefficients_add_up_to_one_and_fall_with_the_loss(exponent):
    found = weights([0.25, 1.0, 4.0], exponent=exponent)
    k = torch.tensor([0.25, 1.0, 4.0], dtype=torch.float64) ** -exponent
    assert float(found.sum()) == pytest.approx(1.0, rel=1e-15)
    assert torch.allclose(found, k / k.sum(), rtol=1e-14)


def test_a_sample_that_is_known_by_heart_does_not_take_all_the_weight():
    others = [1e-3] * 99
    found = weights([0.0, *others])
    assert float(found[0]) == pytest.approx(1e3 / (1e3 + 99 * 1e-3**-0.5))
    assert float(found[0]) < 0.25
    unclamped = weights([0.0, *others], smallest_loss=1e-30)
    assert float(unclamped[0]) > 1 - 1e-10, "the clamp has no effect: the test would say nothing"


def test_infinite_and_missing_numbers_come_through():
    objective = WeightedAscent(losses=lambda module, batch: batch)
    for number in (float("nan"), float("inf")):
        value = objective.loss(NOBODY, torch.tensor([number, 1.0]), Context(None))
        assert not (value.numerator / value.divisor).isfinite()


# ---- the window --------------------------------------------------------------------------------------------------
def ragged():
    """Forget batches of 4 and of 1."""
    data = fits.samples(5, 2)
    return fits.sides() | {"forget": DataLoader(data, 4, generator=torch.Generator())}, data


@pytest.mark.parametrize("hold", ["device", "cpu"])
def test_coefficients_are_normalised_over_windows_of_unequal_batches(hold):
    loaders, data = ragged()
    module = Net()
    net = Net().net

    def ask(forget, retain):
        return torch.cat([t.reshape(-1) for t in forget.gradient().tensors]), forget.loss

    strategy = Asking(ask, objective=WeightedAscent(), hold=hold)
    fits.fit(module, loaders, strategy, accumulate_grad_batches=2, max_steps=1, max_epochs=-1)
    losses = cross_entropy(net(data.tensors[0]), data.tensors[1], reduction="none")
    k = losses.detach() ** -0.5
    expected = -(k * losses).sum() / k.sum()
    gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(expected, list(net.parameters()))])
    assert float((strategy.answers[0][0] - gradient).abs().max()) <= 1e-15
    assert float(strategy.answers[0][1] - expected.detach()) == pytest.approx(0.0, abs=1e-15)


def test_control_a_mean_of_normalised_batches_is_something_else():
    _, data = ragged()
    net = Net().net
    losses = cross_entropy(net(data.tensors[0]), data.tensors[1], reduction="none")
    k = losses.detach() ** -0.5
    whole = (k * losses).sum() / k.sum()
    parts = [(k[i] * losses[i]).sum() / k[i].sum() for i in (slice(0, 4), slice(4, 5))]
    assert abs(float((whole - sum(parts) / 2).detach())) > 1e-2


CASES = [
    Case(
        "hessian",
        lambda: HessianProbe(objective=WeightedAscent()),
        hessian_direction,
        term=weighted(0.5),
        double_backward=True,
    ),
    Case(
        "differences",
        lambda: HessianProbe(objective=WeightedAscent(exponent=0.0), method="finite_difference"),
        hessian_direction,
        term=weighted(0.0),
        tolerance=1e-8,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
@pytest.mark.parametrize("accumulate", [1, 3])
def test_second_derivatives_hold_the_coefficients(case, accumulate):
    laws.equals_hand_loop(case, accumulate=accumulate)


def test_gradients_that_are_taken_one_by_one_are_divided_too():
    def make():
        return GradientSurgery(alpha=0.0, granularity="tensor", objective=WeightedAscent())

    laws.equals_hand_loop(Case("off", make, surgery(alpha=0.0), term=weighted(0.5)))
    seen = {}

    def ask(forget, retain):
        forget.for_each_gradient(lambda name, tensor: seen.update({name: tensor.clone()}))
        return {name: tensor.clone() for name, tensor in forget.gradient().items()}

    strategy = Asking(ask, objective=WeightedAscent())
    fits.fit(Net(), fits.sides(), strategy, max_steps=1, max_epochs=-1)
    assert fits.distance(seen, strategy.answers[0]) <= 1e-16


def test_losses_of_segmentations_are_means_over_a_sample():
    logits, labels = torch.randn(2, 3, 4, 5), torch.randint(3, (2, 4, 5))
    objective = WeightedAscent(predict=lambda module, batch: batch)
    expected = cross_entropy(logits, labels, reduction="none").mean((1, 2))
    assert torch.allclose(objective.of_samples(NOBODY, (logits, labels)), expected)


def test_losses_in_half_precision_are_summed_in_float32():
    objective = WeightedAscent(losses=lambda module, batch: batch)
    value = objective.loss(NOBODY, torch.full((70_000,), 1e-7, dtype=torch.float16), Context(None))
    assert value.divisor.dtype == torch.float32
    assert value.divisor.isfinite()


# ---- refused -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"exponent": -0.5}, "`exponent` must be a finite, non-negative number, found -0.5"),
        ({"smallest_loss": 0.0}, r"`smallest_loss` must be a finite, positive number, found 0\.0"),
        ({"predict": len, "losses": len}, "`losses` must stand alone, found `predict` beside it"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        WeightedAscent(**arguments)


@pytest.mark.parametrize(("value", "found"), [(torch.ones(()), r"shape \(\)"), (3.0, "float")])
def test_losses_that_are_not_one_a_sample_are_refused(value, found):
    objective = WeightedAscent(losses=lambda module, batch: value)
    with pytest.raises(ConfigurationError, match=f"must return one loss a sample, shape .N,., found {found}"):
        objective.of_samples(NOBODY, TensorDataset())
