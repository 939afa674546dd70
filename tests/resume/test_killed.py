"""Law 6 for processes that are really gone: SIGKILL, alone and two at a time."""

import signal

import pytest
import torch

from tests._processes import ranks, run, two_ranks
from tests.resume import _law as law
from tests.resume._probes import FisherLike

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("step", [3, 5])
@pytest.mark.filterwarnings("ignore:You have overridden `on_after_batch_transfer`")
@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")  # of its `ModelCheckpoint`
def test_a_process_that_was_killed(step, tmp_path):
    [ended] = run([(["tests.resume._process", str(tmp_path), str(step)], {})], timeout=120)
    assert ended.code == -signal.SIGKILL, ended.error
    resumed = law.run(FisherLike(), ckpt_path=tmp_path / "last.ckpt", seed=1)
    assert len(resumed.module.seen) == 10 - step
    law.agree(law.run(FisherLike()), None, resumed)


def test_two_ranks_that_were_killed(tmp_path):
    module, folder = "tests.resume._ranks", str(tmp_path)
    two_ranks(module, folder, "whole", "whole")
    (tmp_path / "last.ckpt").unlink()
    killed = ranks(module, folder, "killed", "killed")
    assert [rank.code for rank in killed] == [-signal.SIGKILL] * 2, killed
    two_ranks(module, folder, "resumed", "resumed")
    left = {
        (name, rank): torch.load(tmp_path / f"{name}-{rank}.pt")
        for name in ("whole", "resumed")
        for rank in (0, 1)
    }
    for rank in (0, 1):
        whole, resumed = left["whole", rank], left["resumed", rank]
        assert len(resumed["seen"]) == 6 - 4
        for name in ("seen", "log"):
            assert whole[name][-len(resumed[name]) :] == resumed[name], (rank, name)
        for name in ("state", "optimizer", "streams", "metrics"):
            assert law.same(whole[name], resumed[name]), (rank, name)
    both = [left["whole", rank]["streams"] for rank in (0, 1)]
    assert not law.same(*both), "the ranks drew the same numbers: the comparison would say nothing"
    weights = [
        {n: t for n, t in left["resumed", rank]["state"].items() if "running" not in n} for rank in (0, 1)
    ]
    assert law.same(*weights), "the ranks differ"
