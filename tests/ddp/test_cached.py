"""A Fisher information that is kept in files, on two processes: with one disk, and with a file that one of them lacks."""

import pytest
import torch

from tests._processes import two_ranks
from tests.ddp._cached import fisher
from tests.strategies import _fits as fits

pytestmark = pytest.mark.slow


def test_processes_agree_on_what_is_there(tmp_path):
    two_ranks("tests.ddp._cached", str(tmp_path))
    ends = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    alone = fisher(tmp_path / "alone", processes=1)
    alone.pop("calls")
    calls = {name: [int(end[name].pop("calls")) for end in ends] for name in ends[0]}
    assert all(calls["first"])
    assert calls["again"] == [0, 0]
    assert all(calls["one has none"]), "one process would wait for the other"
    for name in calls:
        assert fits.same(ends[0][name], ends[1][name])
        assert fits.distance(ends[0][name], alone) <= 1e-15
    assert [path.name for path in (tmp_path / "shared").iterdir()] == [
        path.name for path in (tmp_path / "alone").iterdir()
    ], "the name depends on the number of processes"
