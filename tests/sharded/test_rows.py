"""Law 3 for shards: every strategy ends where one process ends, whichever way its parameters are spread."""

import functools

import pytest

from tests.sharded._layouts import LAYOUTS, ends, fit
from tests.sharded._runs import MISTAKES, OPTIONS, combinations, end_of, four_processes
from tests.strategies import _fits as fits
from tests.strategies._cases import named

pytestmark = pytest.mark.slow
TOLERANCE = 1e-12
FOUR = [key for key in four_processes() if key[0] == "two-dimensional"]


@functools.cache
def alone(row, option):
    return end_of(named(row), option, None)


def check(found, key):
    _, row, option = key
    assert all(fits.same(found[0][key], other[key]) for other in found[1:]), "the processes differ"
    assert fits.distance(found[0][key], ends(fit(None, limit_train_batches=0))) > 1e-3, "nothing moved"
    assert fits.distance(found[0][key], alone(row, option)) <= TOLERANCE


@pytest.mark.parametrize("key", combinations(), ids="/".join)
def test_two_processes_end_where_one_does(two, key):
    check(two, key)


@pytest.mark.parametrize("key", FOUR, ids="/".join)
def test_shards_of_shards_end_where_one_process_does(four, key):
    check(four, key)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_control_a_mistake_in_the_inner_product_is_caught(two, mistake):
    end = two[0]["mistaken", mistake]
    assert fits.distance(end, alone("surgery-paper", "plain")) > 1e-4


def test_every_layout_is_tried():
    assert {layout for layout, _, _ in [*combinations(), *FOUR]} == set(LAYOUTS)


def test_control_the_options_matter():
    for option, arguments in OPTIONS.items():
        plain = fit(None, named("surgery-paper").make(), limit_train_batches=arguments["limit_train_batches"])
        assert (fits.distance(ends(plain), alone("surgery-paper", option)) > 1e-3) == (option != "plain")
