"""A rank that fails takes the other one down within a minute, whoever has started them; nothing is left behind."""

import re

import pytest

from tests._processes import ranks, run

pytestmark = pytest.mark.slow

MINUTE, LIMIT = 60, 240  # the limit has time to start in, on a busy machine
WHERE = {
    "retain": "the third batch is a bad one",
    "forget": "the third batch is a bad one",
    "empty-loader": "zero length",  # Lightning's own check, which comes first
    "misfit": 'must be "max_size_cycle" or "min_size"',
}


@pytest.mark.parametrize("where", WHERE)
def test_both_end_though_nobody_watches_over_them(where):
    first, second = ranks("tests.ddp._failing", where, timeout=LIMIT)
    assert first.code != 0
    assert second.code != 0
    assert WHERE[where] in second.error
    assert max(first.at, second.at) - failed_at(second) < MINUTE
    if where == "misfit":
        assert "ConfigurationError" in second.error
        assert "ConfigurationError: Every process must be in order" in first.error


@pytest.mark.parametrize("where", ["forget", "misfit"])
def test_both_end_if_the_trainer_has_started_the_second(where):
    [first] = run([(["tests.ddp._failing", where], {})], timeout=LIMIT)
    assert first.code != 0
    assert WHERE[where] in first.error
    assert first.at - failed_at(first) < MINUTE


def failed_at(rank):
    """When the first of those that have written there failed."""
    return min(map(float, re.findall(r"^failed at ([\d.]+):", rank.error, re.MULTILINE)))


# ---- negative controls -------------------------------------------------------------------------------------------
def test_control_a_fit_in_which_nothing_fails_ends_well():
    assert [rank.code for rank in ranks("tests.ddp._failing", "nowhere", timeout=LIMIT)] == [0, 0]


def test_control_a_rank_that_waits_for_another_is_noticed_and_ended():
    lonely = {"WORLD_SIZE": "2", "NODE_RANK": "0", "LOCAL_RANK": "0"}
    with pytest.raises(AssertionError, match="not ended after"):
        run([(["tests.ddp._failing", "nowhere"], lonely)], timeout=12)
