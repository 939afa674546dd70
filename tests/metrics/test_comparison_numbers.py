"""Weights, relearn times and accuracies of two models: functions without a modular twin."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lightning_unlearn.metrics.functional import (
    anamnesis_index,
    average_gap,
    relearn_time,
    tow,
    weight_distance,
)

shares = st.floats(0, 1)


def net(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2))


def test_weight_distance_is_what_numpy_says_of_each_module():
    a, b = net(0), net(1)
    layers, total = weight_distance(dict(a.named_parameters()), dict(b.named_parameters()))

    def flat(module):
        return np.concatenate([p.detach().double().numpy().ravel() for p in module.parameters()])

    def relative(x, y):
        return np.linalg.norm(x - y) / np.linalg.norm(y)

    assert list(layers) == ["0", "1", "2"]
    for name, value in layers.items():
        expected = relative(flat(a.get_submodule(name)), flat(b.get_submodule(name)))
        assert value.item() == pytest.approx(expected, rel=1e-6)
    assert total.item() == pytest.approx(relative(flat(a), flat(b)), rel=1e-6)


def test_weight_distance_has_running_statistics_only_from_the_state():
    a, b = net(0), net(0)
    b[1].running_var.fill_(4)
    b[1].num_batches_tracked.fill_(7)
    assert weight_distance(dict(a.named_parameters()), dict(b.named_parameters())).total == 0
    layers, total = weight_distance(a.state_dict(), b.state_dict())
    assert layers["1"].item() == pytest.approx(math.sqrt(27) / math.sqrt(48 + 3))
    assert layers["0"] == layers["2"] == 0
    assert total > 0


def test_weight_distance_where_the_reference_is_zero():
    zero, one = {"a.bias": torch.zeros(2), "b": torch.ones(2)}, {"a.bias": torch.ones(2), "b": torch.ones(2)}
    assert weight_distance(zero, zero).layers == {"a": 0, "b": 0}
    assert weight_distance(one, zero).layers == {"a": math.inf, "b": 0}
    assert weight_distance(one, zero).total == 1
    assert weight_distance(zero, one).layers == {"a": 1, "b": 0}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_weight_distance_does_not_overflow_and_leaves_inputs_alone(dtype):
    a = {"w": torch.full((100,), 60000.0, requires_grad=True)}
    b = {"w": torch.full((100,), -60000.0).to(dtype)}
    layers, total = weight_distance(a, b)
    assert total.item() == pytest.approx(2, rel=1e-2)
    assert not total.requires_grad
    assert layers["w"].dtype == total.dtype == torch.float32
    assert layers["w"].ndim == total.ndim == 0


def test_weight_distance_refuses():
    state = {"a.w": torch.ones(2), "a.n": torch.tensor(3)}
    with pytest.raises(ValueError, match=r"must have the names of `state`, found 1 .* such as 'a.n'"):
        weight_distance(state, {"a.w": torch.ones(2)})
    with pytest.raises(ValueError, match=r"found \(3,\) for \(2,\) at 'a.w'"):
        weight_distance(state, state | {"a.w": torch.ones(3)})
    spoilt = state | {"a.w": torch.tensor([1.0, math.nan])}
    with pytest.raises(ValueError, match=r"`state` must be finite, found 1 of 2 weights at 'a.w'"):
        weight_distance(spoilt, state)
    with pytest.raises(ValueError, match=r"`reference_state` must be finite, found 1 of 2 weights at 'a.w'"):
        weight_distance(state, spoilt)
    with pytest.raises(ValueError, match="must have a floating-point tensor, found none among 1"):
        weight_distance({"n": torch.tensor(3)}, {"n": torch.tensor(3)})
    with pytest.raises(ValueError, match="found none among 0"):
        weight_distance({}, {})


@pytest.mark.parametrize(
    ("accuracies", "original", "steps"),
    [
        ([0.0, 0.5, 0.95, 1.0], 1.0, 2),
        ([0.0, 0.5, 0.949, 1.0], 1.0, 3),
        ([0.96, 0.0], 1.0, 0),
        ([0.0, 0.96, 0.1, 0.97], 1.0, 1),
        ([0.0, 0.5], 1.0, math.inf),
        ([0.3], 0.3, 0),
        ([0.0, 0.57], 0.6, 1),
        ([0.0, 1.0], 0.6, 1),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_relearn_time_is_the_first_step_at_the_threshold(accuracies, original, steps, dtype):
    values = torch.tensor(accuracies, dtype=dtype)
    assert relearn_time(accuracies, original) == steps
    assert relearn_time(values, torch.tensor(original, dtype=dtype)) == steps
    result = relearn_time(values, original)
    assert result.ndim == 0
    assert result.dtype == torch.float32


@given(st.lists(shares, min_size=1, max_size=20), st.floats(0.01, 1), shares.filter(lambda a: a < 0.99))
def test_relearn_time_grows_with_what_is_asked_for(accuracies, original, alpha):
    strict, lax = (relearn_time(accuracies, original, alpha=a) for a in (alpha / 2, alpha))
    assert lax <= strict
    assert strict.isinf() or accuracies[int(strict)] >= (1 - alpha / 2) * original * (1 - 1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], 0.9), "`accuracies` must hold at least 1 samples, found 0"),
        (([0.5, 50.0], 0.9), "`accuracies` must be between 0 and 1, found 50.0. Divide percentages by 100"),
        (([-0.1], 0.9), "`accuracies` must be between 0 and 1, found -0.1"),
        (([math.nan], 0.9), "`accuracies` must be finite"),
        (([0.5], 90), "`original` must be between 0 and 1, found 90.0. Divide"),
        (([0.5], 0), "`original` must be positive, found 0.0"),
        (([0.5], math.nan), "`original` must be between 0 and 1, found nan"),
    ],
)
def test_relearn_time_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        relearn_time(*arguments)


@pytest.mark.parametrize("alpha", [-0.1, 1, 5, math.nan, True, "5%"])
def test_relearn_time_refuses_a_tolerance(alpha):
    with pytest.raises(ValueError, match="`alpha` must be a number of at least 0 and below 1, found"):
        relearn_time([0.5], 0.9, alpha=alpha)


def test_anamnesis_index_is_a_ratio_of_relearn_times():
    slow, fast = relearn_time([0.0, 0.1, 0.2, 0.9, 0.9], 0.9), relearn_time([0.0, 0.9], 0.9)
    assert anamnesis_index(fast, slow).item() == pytest.approx(1 / 3)
    assert anamnesis_index(slow, slow) == 1
    assert anamnesis_index(0, 5) == 0
    assert anamnesis_index(math.inf, 5) == math.inf
    assert anamnesis_index(fast, slow).dtype == torch.float32


@pytest.mark.parametrize("gold", [0, -1, math.inf, math.nan])
def test_anamnesis_index_refuses_a_gold_time_that_says_nothing(gold):
    with pytest.raises(ValueError, match="`gold_steps` must be positive and finite, found"):
        anamnesis_index(5, gold)


@pytest.mark.parametrize("steps", [-1, math.nan])
def test_anamnesis_index_refuses_a_time(steps):
    with pytest.raises(ValueError, match="`unlearned_steps` must be at least 0, found"):
        anamnesis_index(steps, 5)


def test_tow_and_average_gap_worked_out_by_hand():
    ours = {"forget": 0.5, "retain": torch.tensor(0.9), "test": 0.8}
    gold = {"test": 0.9, "retain": 0.7, "forget": 0.1}
    assert tow(ours, gold).item() == pytest.approx(0.6 * 0.8 * 0.9)
    assert average_gap(ours, gold).item() == pytest.approx((0.4 + 0.2 + 0.1) / 3)


@given(st.lists(st.tuples(shares, shares), min_size=1, max_size=5))
def test_tow_and_average_gap_are_symmetric_and_bounded(pairs):
    ours, gold = ({str(i): pair[side] for i, pair in enumerate(pairs)} for side in (0, 1))
    for function, best in ((tow, 1), (average_gap, 0)):
        assert function(ours, ours) == best
        assert function(ours, gold) == function(gold, ours)
        assert 0 <= function(ours, gold) <= 1
    # the product is at least one less the sum
    assert tow(ours, gold) >= 1 - len(pairs) * average_gap(ours, gold) - 1e-6


def test_one_complete_failure_makes_tow_zero():
    assert tow({"forget": 1, "retain": 1}, {"forget": 0, "retain": 1}) == 0


@pytest.mark.parametrize("function", [tow, average_gap])
def test_accuracies_that_do_not_fit_are_refused(function):
    with pytest.raises(ValueError, match=r"the same names, at least one, found \['a'\] and \['b'\]"):
        function({"a": 0.5}, {"b": 0.5})
    with pytest.raises(ValueError, match=r"at least one, found \[\] and \[\]"):
        function({}, {})
    with pytest.raises(ValueError, match=r"`accuracies\['a'\]` must be between 0 and 1, found 95.0. Divide"):
        function({"a": 95}, {"a": 0.5})
    with pytest.raises(ValueError, match=r"`reference\['a'\]` must be between 0 and 1, found nan"):
        function({"a": 0.5}, {"a": math.nan})
