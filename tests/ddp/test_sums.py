"""Sums over a `Source` are the same on every process, and on any number of them: also where one has no sample."""

import pytest
import torch

from tests._processes import two_ranks
from tests.ddp._sums import BROKEN, RUNS, sums_of
from tests.strategies import _fits as fits

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sums")
    two_ranks("tests.ddp._sums", str(folder))
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def sums_agree(ends, name):
    first, second = (end[name] for end in ends)
    assert fits.same(first, second), "the ranks differ"
    alone = sums_of(name, processes=1)
    assert first.keys() == alone.keys()
    assert all(float(total.abs().max()) > 1e-3 for total in alone.values()), "nothing was summed"
    error = fits.distance(first, alone)
    assert error <= 1e-10, f"{error:.2e} off one process"


@pytest.mark.parametrize("name", RUNS)
def test_sums_do_not_depend_on_the_number_of_processes(ends, name):
    sums_agree(ends, name)


def test_every_sample_counts_once(ends):
    assert {name: int(ends[0][name]["samples"]) for name in RUNS} == {n: int(n.split()[0]) for n in RUNS}


# ---- negative controls -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", BROKEN)
def test_control_a_broken_sum_does(ends, name):
    with pytest.raises(
        AssertionError, match="the ranks differ" if "unreduced" in name else "off one process"
    ):
        sums_agree(ends, name)
