"""Two processes see the numbers of one, and decide alike: also where a rank has no forget sample of its own."""

import pytest
import torch

from tests._processes import two_ranks
from tests.monitor._ranks import RUNS, monitored
from tests.monitor._setups import same

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Retain accuracy fell to"),
]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("monitored-ranks")
    two_ranks("tests.monitor._ranks", str(folder))
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("name", RUNS)
def test_ranks_decide_alike_and_as_one_process_does(ranks, name):
    (history, stopped, weights, steps), (others_history, others_stopped, others_weights, others_steps) = (
        rank[name] for rank in ranks
    )
    assert (history, stopped, steps) == (others_history, others_stopped, others_steps)
    assert same(weights, others_weights)
    alone_history, alone_stopped, _, alone_steps = monitored(name)
    assert (stopped, steps) == (alone_stopped, alone_steps)
    assert len(history) == len(alone_history)
    for row, alone in zip(history, alone_history, strict=True):
        assert row == pytest.approx(alone, rel=1e-4, abs=1e-6)


def test_the_runs_decide_something(ranks):
    assert {name: ranks[0][name][1] for name in RUNS} == {
        "target": "target", "one-sample": None, "collapse": "collapse"
    }  # fmt: skip
