"""What DistributedDataParallel cannot do is said on every process before a weight has moved, with the remedy."""

import re

import pytest
import torch

from tests._processes import two_ranks
from tests.ddp._refused import ATTEMPTS

pytestmark = pytest.mark.slow

SAID = {
    "static-graph-accumulation": r"static_graph=True.*found 2\. Leave out `static_graph`",
    "forget-head": r"retain side does not: not `heads\.forget\.weight`.*ddp_find_unused_parameters_true",
    "forget-head-static-graph": "leave out `static_graph`, and use .*ddp_find_unused_parameters_true",
    "retain-head": r"forget side does not: not `heads\.retain\.weight`.*ddp_find_unused_parameters_true",
    "retain-head-static-graph": "leave out `static_graph`, and use .*ddp_find_unused_parameters_true",
    "retain-head-bucket-view": "ddp_find_unused_parameters_true",
    "other-data-on-rank-1": r"forget data set must be the same on every process, found \[4, 6\]",
}
FOUND_BY_RANK_1 = {
    "nothing-on-rank-1": '"forget" loader must give at least one batch',
    "other-mode-on-rank-1": 'must be "max_size_cycle" or "min_size"',
    "frozen-on-rank-1": "must have a trainable parameter",
}


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    folder = tmp_path_factory.mktemp("refused")
    two_ranks("tests.ddp._refused", str(folder))
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("name", SAID)
def test_it_is_refused_on_every_process_before_a_weight_has_moved(ends, name):
    for end in ends:
        kind, message, stayed = end[name]
        assert kind == "ConfigurationError", message
        assert stayed
        assert re.search(SAID[name], message), message


@pytest.mark.parametrize("name", FOUND_BY_RANK_1)
def test_what_one_process_finds_stops_the_other(ends, name):
    (first, elsewhere, first_stayed), (second, found, second_stayed) = (end[name] for end in ends)
    assert first == second == "ConfigurationError", (elsewhere, found)
    assert first_stayed
    assert second_stayed
    assert FOUND_BY_RANK_1[name] in found
    assert "found a misfit on another process" in elsewhere


def test_a_static_graph_fails_under_accumulation_without_a_strategy_too(ends):
    kind, message, _ = ends[0]["static-graph-accumulation-without-strategy"]
    assert (kind, "INTERNAL ASSERT" in message) == ("RuntimeError", True)


def test_synchronised_batch_norm_is_refused_by_torch_on_this_device(ends):
    kind, message, stayed = ends[0]["sync-batch-norm"]
    assert (kind, stayed) == ("ValueError", True)
    assert "SyncBatchNorm layers only work with GPU modules" in message


def test_every_attempt_is_looked_at():
    others = {"static-graph-accumulation-without-strategy", "sync-batch-norm"}
    assert set(ATTEMPTS) == set(SAID) | set(FOUND_BY_RANK_1) | others
