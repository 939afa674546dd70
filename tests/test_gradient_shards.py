"""`Gradient` with sharded entries, in one process: what is sent, and what a function of an entry may return."""

import pytest
import torch
import torch.distributed as dist

from lightning_unlearn import Gradient
from tests._gradients import SHAPES, equal, random_gradient


@pytest.fixture
def mesh(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        yield dist.init_device_mesh("cpu", (1,))
    finally:
        dist.destroy_process_group()


@pytest.fixture
def reductions(monkeypatch):
    """One entry an all-reduce."""
    calls, all_reduce = [], dist.all_reduce
    monkeypatch.setattr(dist, "all_reduce", lambda *a, **k: calls.append(1) or all_reduce(*a, **k))
    return calls


def sharded(gradient, mesh):
    """One entry is sharded, one replicated, one plain."""
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    placed = {"layer.weight": [Shard(0)], "layer.bias": [Replicate()]}
    tensors = {n: distribute_tensor(t, mesh, placed[n]) if n in placed else t for n, t in gradient.items()}
    return Gradient(tensors)


shards = pytest.mark.filterwarnings("ignore:DTensor random operators")  # torch before 2.6


@shards
def test_sharded_inner_products_take_one_all_reduce(mesh, reductions):
    plain_u, plain_g = random_gradient(0), random_gradient(1)
    u, g = sharded(plain_u, mesh), sharded(plain_g, mesh)
    reductions.clear()
    values = Gradient.dots((u, g), (u, u), (g, g))
    assert len(reductions) == 1
    assert values == Gradient.dots((plain_u, plain_g), (plain_u, plain_u), (plain_g, plain_g))
    u.cosine(g)
    projected = u.project_off(g)
    assert len(reductions) == 1  # the products are known
    whole = projected.map(lambda _, t: t.full_tensor() if hasattr(t, "full_tensor") else t)
    whole = Gradient({n: t.to_local() if hasattr(t, "to_local") else t for n, t in whole.items()})
    assert equal(whole, plain_u.project_off(plain_g))


@shards
@pytest.mark.parametrize("known", [True, False])
def test_a_share_of_the_square_takes_no_all_reduce_of_its_own(mesh, reductions, known):
    u = sharded(random_gradient(0), mesh)
    square = random_gradient(0).dot(random_gradient(0))
    if known:
        u.norm()
    u.remember_norm()
    reductions.clear()
    assert float(u.share_of_square()) == pytest.approx(float(square), rel=1e-14)
    assert float(u.mul_(2.0).remembered_share()) == pytest.approx(float(square), rel=1e-14)
    assert float(u.share_of_square()) == pytest.approx(4 * float(square), rel=1e-14)
    assert not reductions


@shards
def test_a_result_for_a_sharded_entry_is_whole_or_sharded_alike(mesh):
    u = sharded(random_gradient(0), mesh)
    assert (
        u.map(lambda n, _: torch.ones(SHAPES[n]))["layer.weight"].placements == u["layer.weight"].placements
    )
    with pytest.raises(ValueError, match=r"must have its shape, found \[2\] for \[3, 2\]"):
        u.map(lambda n, t: t.sum(dim=0) if n == "layer.weight" else t)
