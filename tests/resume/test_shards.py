"""State that is sharded as the weights are (FSDP2) is whole in a checkpoint and in a file, and sharded again after."""

import pytest
import torch

from tests._processes import two_ranks
from tests.strategies import _fits as fits


@pytest.mark.slow
def test_sharded_state_outlives_an_interruption(tmp_path):
    two_ranks("tests.resume._shards", str(tmp_path))
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    for name in ("plain", "distributed", "filed"):
        assert fits.same(first["whole"], first[name]), name
        assert fits.same(first[name], second[name]), name
    assert len(list((tmp_path / "large").iterdir())) == 1
