"""Law 3 for modules that step their optimisers themselves."""

import pytest
import torch

from tests._processes import two_ranks
from tests.manual._ranks import combinations, end_of
from tests.strategies import _fits as fits

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of two processes ends with, for every row."""
    folder = tmp_path_factory.mktemp("manual-ranks")
    two_ranks("tests.manual._ranks", str(folder))
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize(
    ("case", "kind"), [pytest.param(case, kind, id=f"{kind}-{case.id}") for case, kind in combinations()]
)
def test_two_processes_agree_with_one(ranks, case, kind):
    first, second = (end[case.id, kind] for end in ranks)
    assert fits.same(first, second), "the ranks differ"
    alone = end_of(case, kind)
    assert fits.distance(first, alone) <= max(1e-12, case.tolerance)
