"""Law 3 for every row of the case list, in every way in which DistributedDataParallel averages."""

import pytest
import torch

from tests._processes import two_ranks
from tests.ddp._kinds import COMBINATIONS, CONTROLS, KINDS
from tests.ddp._law import two_processes_agree_with_one

pytestmark = pytest.mark.slow


def pairs(combinations):
    return pytest.mark.parametrize(
        ("name", "kind"), [pytest.param(*pair, id="-".join(pair)) for pair in combinations]
    )


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """What each of two processes ends with, for every row and kind."""
    folder = tmp_path_factory.mktemp("ends")
    two_ranks("tests.ddp._ranks", str(folder), *KINDS, timeout=1800)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pairs(COMBINATIONS)
def test_two_processes_agree_with_one(ends, name, kind):
    two_processes_agree_with_one(ends, name, kind)


# ---- negative controls: the law can fail -------------------------------------------------------------------------
@pairs(CONTROLS)
def test_control_a_broken_strategy_does_not(ends, name, kind):
    ranks_agree = name == "projected-before-averaging"
    with pytest.raises(AssertionError, match="off one process" if ranks_agree else "the ranks differ"):
        two_processes_agree_with_one(ends, name, kind)
