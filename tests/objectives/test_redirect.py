"""Pushing samples away from the forget set and pulling them towards examples: values, what they depend on, what is refused."""

import math

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from lightning_unlearn import ConfigurationError, GradientDifference, Redirect
from lightning_unlearn.audit._independence import check_independent
from lightning_unlearn.objectives import Context
from tests.strategies import _fits as fits
from tests.strategies._modules import Net
from tests.strategies._redirect_cases import EXAMPLES, PULL, PUSH, by_hand, judge, redirect
from tests.strategies._uno_cases import sample


def at(step=0):
    return Context(lambda batch: None, step=step)


@pytest.mark.parametrize("step", [0, 1, 7])
def test_it_is_the_formula_written_out(step):
    module = Net()
    value = redirect().loss(module, None, at(step))
    expected = by_hand(sample(module), step)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)


def test_other_steps_have_other_examples_and_the_same_step_the_same():
    module, objective = Net(), redirect()
    values = [float(objective.loss(module, None, at(step)).detach()) for step in (0, 1, 0)]
    assert values[0] == values[2] != values[1]


def test_a_data_set_of_pairs_gives_what_its_tensor_gives():
    pairs = TensorDataset(EXAMPLES, torch.arange(len(EXAMPLES)))
    module = Net()
    values = [
        Redirect(sample, judge(), examples, PUSH, PULL).loss(module, None, at())
        for examples in (pairs, EXAMPLES)
    ]
    assert torch.equal(*values)


def test_the_gradient_of_the_push_dies_out_and_the_sample_leaves_the_judged_side():
    z = torch.tensor([[4.0]], requires_grad=True)
    objective = Redirect(lambda _: z, nn.Identity(), torch.zeros(1, 1), push=1.0, pull=0.0)
    slopes = []
    for _ in range(200):
        (slope,) = torch.autograd.grad(objective.loss(nn.Identity(), None, at()), z)
        slopes.append(float(slope))
        z.data -= slope
    assert slopes[0] == pytest.approx(1 / (1 + math.exp(-4)))
    assert float(z.detach()) < -4
    assert slopes[-1] < 0.01


def test_the_pull_moves_the_nearest_sample_only():
    z = torch.tensor([[0.0], [5.0]], requires_grad=True)
    objective = Redirect(lambda _: z, nn.Identity(), torch.tensor([[1.0]]), push=0.0, pull=1.0)
    (slope,) = torch.autograd.grad(objective.loss(nn.Identity(), None, at()), z)
    assert slope.flatten().tolist() == [-2.0, 0.0]


def test_the_judge_gets_no_gradient_and_keeps_its_mode():
    own = nn.Sequential(judge(), nn.Dropout(0.5)).train()
    Redirect(sample, own, EXAMPLES).loss(Net(), None, at()).backward()
    assert all(p.grad is None and p.requires_grad for p in own.parameters())
    assert all(m.training for m in own.modules())


def test_the_audit_sees_the_judge():
    own = judge()
    strategy = GradientDifference(alpha=0.1, objective=Redirect(sample, own, EXAMPLES))
    with pytest.raises(ConfigurationError, match="must not be what the generator was trained with"):
        check_independent(own, strategy)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sampler": 3}, "`sampler` must be a function of the module that returns samples, found 3"),
        ({"judge": abs}, "`judge` must be a `torch.nn.Module` that returns log-odds"),
        ({"examples": []}, "`examples` must be a tensor or a data set of retained samples with at least one"),
        ({"examples": 4}, "`examples` must be a tensor or a data set of retained samples"),
        ({"push": -1.0}, "`push` must be a finite, non-negative number, found -1.0"),
        ({"pull": math.nan}, "`pull` must be a finite, non-negative number, found nan"),
        ({"count": 0}, "`count` must be a positive integer, found 0"),
        ({"seed": -1}, "`seed` must be an integer of at least 0, found -1"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ConfigurationError) as error:
        Redirect(**{"sampler": sample, "judge": judge(), "examples": EXAMPLES} | arguments)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sampler": lambda module: 1.0}, "`sampler` must return floating-point samples of shape"),
        ({"sampler": lambda module: torch.zeros(4)}, "`sampler` must return floating-point samples of shape"),
        ({"judge": nn.Identity()}, "`judge` must return one number a sample"),
        ({"examples": torch.zeros(4, 99)}, "`examples` must have as many values as a sample"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_weight_moves(arguments, message):
    module = Net()
    start = fits.weights(module)
    objective = Redirect(**{"sampler": sample, "judge": judge(), "examples": EXAMPLES} | arguments)
    with pytest.raises(ConfigurationError, match=message):
        fits.fit(module, fits.sides(), GradientDifference(alpha=0.1, objective=objective))
    assert fits.same(start, fits.weights(module))


def test_a_judge_inside_the_module_is_refused():
    module = Net()
    with pytest.raises(ConfigurationError, match="`judge` must be no part of `Net`"):
        Redirect(sample, module.net[0], EXAMPLES).loss(module, None, at())
