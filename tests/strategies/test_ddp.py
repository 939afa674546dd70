"""Law 3, a first look: two processes give what one gives with batches twice as large (DistributedDataParallel)."""

import pytest
import torch

from tests._processes import two_ranks
from tests.strategies import _fits as fits
from tests.strategies._cases import every_case
from tests.strategies._ranks import KINDS, end_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of two processes ends with, for every row."""
    folder = tmp_path_factory.mktemp("ranks")
    two_ranks("tests.strategies._ranks", str(folder))
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@every_case
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_agree_with_one(ranks, case, kind):
    first, second = (end[case.id, kind] for end in ranks)
    assert fits.same(first, second), "the ranks differ"
    alone = end_of(case, **KINDS[kind][1])
    assert fits.distance(first, alone) <= max(1e-12, case.tolerance)
