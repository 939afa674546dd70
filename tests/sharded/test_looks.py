"""Gradients, moved weights, non-finite numbers, random streams, sources and the monitor, on shards."""

import functools

import pytest
import torch

from tests.sharded._layouts import Shares
from tests.sharded._runs import LEFT, LOOKED_AT, LOOKS
from tests.strategies import _fits as fits

BFLOAT16 = torch.finfo(torch.bfloat16).eps
TOLERANCE = {"bfloat16": BFLOAT16, "monitored": 1e-6}  # the monitor counts and averages in float32
KEYS = [(look, layout) for look, layouts in LOOKED_AT.items() for layout in layouts]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*was not finite"),
    pytest.mark.filterwarnings("ignore:Retain accuracy fell"),
    pytest.mark.filterwarnings("ignore:You have overridden `on_after_batch_transfer`"),
]


def flat(found, path=()):
    """Nested dicts and lists as one dict of leaves."""
    if isinstance(found, (dict, list)):
        items = found.items() if isinstance(found, dict) else enumerate(found)
        return {k: v for key, value in items for k, v in flat(value, (*path, key)).items()}
    return {path: found}


@functools.cache
def alone(look):
    torch.manual_seed(0)
    return flat(LOOKS[look](layout=None))


def off(found, expected):
    """How far apart two such dicts are: the largest difference of a number, relative to numbers above 1."""
    assert found.keys() == expected.keys()
    worst = 0.0
    for key, value in expected.items():
        if isinstance(value, (torch.Tensor, float)):
            left, right = (torch.as_tensor(x, dtype=torch.float64) for x in (found[key], value))
            worst = max(worst, float(((left - right).abs() / right.abs().clamp_min(1.0)).max()))
        else:
            assert found[key] == value, key
    return worst


def same(left, right):
    left, right = flat(left), flat(right)
    return left.keys() == right.keys() and all(
        torch.equal(v, right[k]) if isinstance(v, torch.Tensor) else v == right[k] for k, v in left.items()
    )


@pytest.mark.parametrize("key", KEYS, ids="/".join)
def test_two_processes_see_what_one_does(two, key):
    assert same(two[0][key], two[1][key]), "the processes differ"
    assert off(flat(two[0][key]), alone(key[0])) <= TOLERANCE.get(key[0], 1e-12)


def test_gradients_on_a_mesh_of_two_by_two_are_those_of_one_process(four):
    key = "algebra", "two-dimensional"
    assert all(same(four[0][key], other[key]) for other in four)
    assert off(flat(four[0][key]), alone("algebra")) <= 1e-12


@pytest.mark.parametrize("look", ["algebra", "random"])
def test_control_a_mistake_is_caught(two, look):
    assert off(flat(two[0]["mistaken", look]), alone(look)) > 1e-3


@pytest.mark.parametrize("look", LEFT)
def test_control_gathered_weights_left_in_place_are_caught(two, look):
    try:
        error = off(flat(two[0]["left gathered", look]), alone(look))
    except AssertionError:  # a decision of the monitor has changed
        return
    assert error > 1e-3


@pytest.mark.parametrize("layout", ["fsdp", "fsdp-hybrid", "tensor", "sequence"])
def test_weights_come_back_bit_for_bit(two, layout):
    for rank in two:
        found = rank["moves", layout]
        assert not fits.same(found["before"], found["shifted"])
        assert fits.same(found["before"], found["after"])
        assert fits.same(found["before"], found["restored"])


@pytest.mark.parametrize("layout", LOOKED_AT["poisoned"])
def test_a_forget_batch_that_is_not_finite_costs_its_forget_part_alone(two, layout):
    healthy = LOOKS["poisoned"](layout=None, data=Shares)
    assert fits.finite(two[0]["poisoned", layout])
    assert fits.distance(two[0]["poisoned", layout], healthy) > 1e-3  # the poison was seen


@pytest.mark.parametrize("layout", LOOKED_AT["bfloat16"])
def test_control_bfloat16_does_round(two, layout):
    exact = LOOKS["bfloat16"](layout=None, precision="32-true")
    assert fits.distance(two[0]["bfloat16", layout], exact) > 1e-4


def test_the_monitored_run_is_rolled_back():
    assert LOOKS["monitored"](layout=None)["stopped"] == "collapse"
