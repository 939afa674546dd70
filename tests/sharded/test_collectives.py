"""What a step sends: what its passes send, one all-reduce for its inner products and one for what it writes."""

from collections import Counter

import pytest

from tests.sharded._runs import STRATEGIES

pytestmark = pytest.mark.slow
# strategy: retain passes, forget passes, all-reduces of its own
COSTS = {
    "fine-tune": (1, 0, 1),
    "difference": (1, 1, 2),
    "surgery": (1, 1, 2),
    "retain-surgery": (1, 1, 2),
    "masked": (1, 1, 2),
    "look-ahead": (1, 1, 1),  # no inner product at all
    "look-ahead-holdout": (1, 1, 2),  # the mean loss
    "differences": (3, 3, 3),  # one for the lengths of vector and weights, a product
}


@pytest.mark.parametrize("layout", ["fsdp", "tensor"])
@pytest.mark.parametrize("name", COSTS)
def test_a_step_sends_no_more_than_its_passes_and_its_scalars(two, layout, name):
    retain, forget, own = COSTS[name]
    passes = {side: Counter(two[0]["collectives", layout, side]) for side in ("retain", "forget")}
    assert passes["retain"].total() > 0, "nothing was counted"
    expected = Counter({"allreduce": own})
    for side, times in (("retain", retain), ("forget", forget)):
        for _ in range(times):
            expected += passes[side]
    found = Counter(two[0]["collectives", layout, name])
    found.pop("barrier", None)  # Lightning's, before it averages a loss
    assert found == expected


def test_control_products_asked_for_one_by_one_are_counted(two):
    together, apart = (two[0]["collectives", "fsdp", name]["allreduce"] for name in ("surgery", "one by one"))
    assert apart == together + 2


def test_every_strategy_is_counted():
    assert set(COSTS) | {"one by one"} == set(STRATEGIES)
