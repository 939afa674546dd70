"""What holds for every metric: it is what it says, whole or in batches, on one process and on two."""

import math
import pickle

import numpy as np
import pytest
import torch

from tests._processes import two_ranks
from tests.metrics._cases import all_cases, rows, split

CASES = {case.name: case for case in all_cases()}
every_metric = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def fed(case, batches):
    metric = case.build()
    for batch in batches:
        metric.update(*batch)
    return metric


def drawn(case, seed=0):
    return case.samples(np.random.default_rng(seed))


def same(a, b):
    return torch.equal(torch.nan_to_num(a, 1e30), torch.nan_to_num(b, 1e30))


@every_metric
@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_an_independent_computation_gives(case, seed):
    arguments = drawn(case, seed)
    value = case.function(*arguments)
    expected = case.independent(*(tensor.numpy() for tensor in arguments))
    assert value.double().numpy() == pytest.approx(expected, rel=case.tolerance, abs=case.tolerance)


@every_metric
@pytest.mark.parametrize("parts", [1, 2, 7])
def test_in_batches_it_is_as_on_the_whole(case, parts):
    arguments = drawn(case)
    empty = rows(arguments, slice(0))
    value = fed(case, [empty, *split(arguments, parts), empty]).compute()
    assert torch.allclose(value, case.function(*arguments), rtol=1e-6, atol=1e-7)


@pytest.fixture(scope="module")
def on_two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    two_ranks("tests.metrics._ranks", str(folder))
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


@every_metric
def test_on_two_processes_it_is_as_on_one(case, on_two_processes):
    first, second = (values[case.name] for values in on_two_processes)
    assert same(first, second)
    assert torch.allclose(first, case.function(*drawn(case)), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("case", [case for case in CASES.values() if hasattr(case.build(), "interval")])
def test_an_interval_on_two_processes_is_as_on_one(case, on_two_processes):
    first, second = (values[f"{case.name} interval"] for values in on_two_processes)
    one = fed(case, [drawn(case)])
    assert same(first, second)
    assert torch.allclose(first, torch.stack(one.interval()), rtol=1e-6, atol=1e-7)
    assert first[0] < one.compute() < first[1]


@every_metric
def test_control_one_process_alone_gives_another_value(case):
    drawings = [drawn(case, seed) for seed in range(5)]
    assert any(not same(fed(case, split(a, 3)[:1]).compute(), case.function(*a)) for a in drawings)


@every_metric
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once_on_entry(case, dtype):
    arguments = drawn(case)
    half = tuple(t.to(dtype) if t.is_floating_point() else t for t in arguments)
    exact = tuple(t.double() if t.is_floating_point() else t for t in half)
    assert torch.allclose(fed(case, [half]).compute(), case.function(*exact), rtol=1e-6, atol=1e-7)


@every_metric
def test_it_outlives_pickling_and_forgets_by_reset(case):
    arguments = drawn(case)
    first, second = split(arguments, 2)
    metric = pickle.loads(pickle.dumps(fed(case, [first])))
    metric.update(*second)
    value = metric.compute()
    assert same(value, case.function(*arguments))
    metric.reset()
    metric.update(*arguments)
    assert same(metric.compute(), value)


@every_metric
def test_it_changes_nothing_outside(case):
    arguments = tuple(t.requires_grad_() if t.is_floating_point() else t for t in drawn(case))
    before = [t.detach().clone() for t in arguments]
    streams = torch.get_rng_state(), np.random.get_state()[1].copy()
    value = fed(case, [arguments]).compute()
    assert not value.requires_grad
    assert all(torch.equal(a, b) for a, b in zip(arguments, before, strict=True))
    assert torch.equal(torch.get_rng_state(), streams[0])
    assert (np.random.get_state()[1] == streams[1]).all()


@every_metric
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_refused(case, bad):
    arguments = tuple(t.clone() for t in drawn(case))
    for i, tensor in enumerate(arguments):
        if tensor.is_floating_point():
            spoilt = tensor.clone()
            spoilt.view(-1)[0] = bad
            with pytest.raises(ValueError, match="must be finite, found 1 of"):
                fed(case, [(*arguments[:i], spoilt, *arguments[i + 1 :])]).compute()


@every_metric
@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
def test_nothing_seen_is_an_error_that_says_so(case):
    with pytest.raises(ValueError, match="Call `update` first"):
        case.build().compute()


@every_metric
def test_it_says_what_it_is(case):
    kind = type(case.build())
    assert kind.measures.endswith(".")
    assert "\n" not in kind.measures
    assert kind.citation
    assert kind.is_differentiable is False
    assert kind.full_state_update is False
    low, high = kind.plot_lower_bound, kind.plot_upper_bound
    if kind.target == "reference":
        assert kind.higher_is_better is None
    else:
        extreme = {high: True, low: False}.get(kind.target)
        assert kind.higher_is_better is extreme


@every_metric
@pytest.mark.parametrize("seed", range(5))
def test_it_keeps_to_its_range(case, seed):
    kind, value = type(case.build()), case.function(*drawn(case, seed))
    assert value.ndim == 0
    assert value.dtype == torch.float32
    assert kind.plot_lower_bound is None or value >= kind.plot_lower_bound
    assert kind.plot_upper_bound is None or value <= kind.plot_upper_bound
