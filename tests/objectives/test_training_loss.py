"""Objectives on the user's own training loss: `Ascent` and `Holdout`."""

import math

import pytest
import torch

from lightning_unlearn import Ascent, ConfigurationError, Holdout
from lightning_unlearn.objectives import Context, Objective

MODULE = torch.nn.Identity()


def context_of(weight, seen=None):
    def training_loss(batch):
        if seen is not None:
            seen.append(batch)
        return None if batch is None else (weight * batch).sum() ** 2

    return Context(training_loss)


@pytest.mark.parametrize(("objective", "sign"), [(Ascent(), -1), (Holdout(level=1.0), 1)])
def test_value_gradient_and_batch(objective, sign):
    weight, batch, seen = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, -1.0]), []
    loss = objective.loss(MODULE, batch, context_of(weight, seen))
    loss.backward()
    assert loss == sign * (3 - 2) ** 2
    assert torch.equal(weight.grad, sign * 2 * (3 - 2) * batch)
    assert len(seen) == 1
    assert seen[0] is batch


@pytest.mark.parametrize("objective", [Ascent(), Holdout(level=1.0)])
def test_a_batch_without_a_loss_is_left_out(objective):
    assert objective.loss(MODULE, None, context_of(torch.ones(1))) is None


def test_the_outer_function_is_the_identity_unless_overridden():
    x = torch.tensor(3.0)
    assert Ascent().outer(x) is x
    assert type(Ascent()).outer is Objective.outer


@pytest.mark.parametrize("level", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("loss", [0.0, 0.5, 1.9, 2.0, 2.1, 50.0])
def test_holdout_outer_value_and_slope(level, loss):
    x = torch.tensor(loss, dtype=torch.float64, requires_grad=True)
    value = Holdout(level=level).outer(x)
    (slope,) = torch.autograd.grad(value, x)
    assert float(value.detach()) == pytest.approx(max(0.0, level - loss) ** 2)
    assert float(slope) == pytest.approx(-2 * max(0.0, level - loss))
    if loss >= level:
        assert slope == 0  # exactly: it stops by itself
    else:
        assert slope < 0  # descending it raises the training loss


@pytest.mark.parametrize("level", [-0.1, math.nan, math.inf, "2", True, None])
def test_level_must_be_non_negative(level):
    with pytest.raises(ConfigurationError, match="`level` must be a finite, non-negative number, found "):
        Holdout(level=level)


def test_representations_can_be_typed_in_again():
    from lightning_unlearn import Bounded, Relabel, Uniform

    assert repr(Ascent()) == "Ascent()"
    for objective in (
        Ascent(),
        Holdout(level=1.5),
        Bounded(offset=0.5),
        Uniform(),
        Relabel(3, kind="next", seed=4),
    ):
        assert vars(eval(repr(objective))) == vars(objective)
