"""Constructor arguments of strategies: what is refused, in which words, and what is stored."""

import math

import numpy as np
import pytest

import lightning_unlearn as lu
from lightning_unlearn import ConfigurationError

NOT_A_WEIGHT = [-1.0, -1e-12, math.nan, math.inf, -math.inf, "0.5", True, None, [1.0]]
CONCRETE = [
    lu.FineTune,
    lu.GradientAscent,
    lu.GradientDifference,
    lu.GradientSurgery,
    lu.RetainSurgery,
    lu.UNO,
    lu.UNOS,
    *(lu.FineTune, lu.GradientAscent, lu.GradientDifference, lu.GradientSurgery, lu.RetainSurgery),
    *(lu.LUR, lu.PCGrad, lu.MGDA, lu.CAGrad, lu.NormalisedDifference),
]
WITH_OBJECTIVE = [strategy for strategy in CONCRETE if strategy is not lu.FineTune]


@pytest.mark.parametrize("value", NOT_A_WEIGHT)
@pytest.mark.parametrize(
    ("strategy", "name"),
    [
        (lu.GradientDifference, "alpha"),
        (lu.GradientSurgery, "alpha"),
        (lu.GradientSurgery, "retain_weight"),
        *((uno, name) for uno in (lu.UNO, lu.UNOS) for name in ("weight", "alpha")),
        (lu.NormalisedDifference, "alpha"),
    ],
)
def test_a_weight_is_finite_and_not_negative(strategy, name, value):
    with pytest.raises(ConfigurationError) as error:
        strategy(**{name: value})
    assert str(error.value) == f"`{name}` must be a finite, non-negative number, found {value!r}."


@pytest.mark.parametrize("value", [0, 0.0, 1, 2.5, np.float64(0.5)])
def test_weights_are_stored_as_floats(value):
    stored = lu.GradientDifference(alpha=value).alpha
    assert type(stored) is float
    assert stored == value


@pytest.mark.parametrize("value", ["never", "ALWAYS", "", None, True])
def test_when_is_one_of_two_words(value):
    with pytest.raises(ConfigurationError) as error:
        lu.GradientSurgery(alpha=1.0, when=value)
    assert str(error.value) == f'`when` must be "conflict" or "always", found {value!r}.'


@pytest.mark.parametrize("strategy", WITH_OBJECTIVE)
@pytest.mark.parametrize("value", ["gpu", "cuda", None, 0])
def test_hold_is_one_of_two_words(strategy, value):
    with pytest.raises(ConfigurationError) as error:
        strategy(hold=value)
    assert str(error.value) == f'`hold` must be "device" or "cpu", found {value!r}.'


@pytest.mark.parametrize("strategy", WITH_OBJECTIVE)
@pytest.mark.parametrize("value", ["Ascent", lu.Ascent, lambda module, batch: 0.0, 1.0])
def test_an_objective_is_an_object(strategy, value):
    with pytest.raises(
        ConfigurationError,
        match=r"`objective` must be an instance of an Objective, such as `Ascent\(\)`, found ",
    ):
        strategy(objective=value)


@pytest.mark.parametrize("strategy", WITH_OBJECTIVE)
@pytest.mark.parametrize("value", ["0", 0.5, None])
def test_a_seed_is_an_integer(strategy, value):
    with pytest.raises(ConfigurationError, match="`seed` must be an integer"):
        strategy(seed=value)


@pytest.mark.parametrize("strategy", WITH_OBJECTIVE)
def test_what_is_given_is_stored(strategy):
    objective = lu.Bounded(offset=0.5)
    made = strategy(objective=objective, hold="cpu", seed=7)
    assert (made.objective, made.hold, made.seed) == (objective, "cpu", 7)
    assert isinstance(strategy().objective, lu.Bounded if strategy is lu.LUR else lu.Ascent)


@pytest.mark.parametrize("strategy", CONCRETE)
def test_no_attribute_is_called_log(strategy):
    assert not {"log", "log_dict"} & (
        set(vars(strategy())) | set(vars(strategy))
    )  # the Trainer overwrites them


@pytest.mark.parametrize("strategy", [lu.UnlearningStrategy, lu.GradientStrategy, lu.EditStrategy])
def test_what_is_abstract_cannot_be_made(strategy):
    with pytest.raises(TypeError, match="abstract"):
        strategy()


@pytest.mark.parametrize("use", [lambda s: s.weights, lambda s: s.forget_loss(None, None, 0)])
def test_a_strategy_that_is_not_attached_says_so(use):
    with pytest.raises(
        ConfigurationError, match=r"`GradientSurgery` must be attached to a running `Trainer\.fit`"
    ):
        use(lu.GradientSurgery(alpha=1.0))


def test_the_original_is_kept_only_if_asked_for():
    with pytest.raises(ConfigurationError, match="`keeps_original = True`, found it not kept"):
        _ = lu.GradientSurgery(alpha=1.0).original


@pytest.mark.parametrize("strategy", WITH_OBJECTIVE)
@pytest.mark.parametrize("value", ["frozen", None, True])
def test_batch_norm_is_one_of_two_words(strategy, value):
    with pytest.raises(ConfigurationError) as error:
        strategy(batch_norm=value)
    assert str(error.value) == f'`batch_norm` must be "train" or "eval", found {value!r}.'
