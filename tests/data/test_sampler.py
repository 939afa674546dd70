"""The stream: a function of (seed, epoch, cycle), the same on any number of replicas."""

from math import ceil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DistributedSampler

from lightning_unlearn.data._sampler import CycleSampler, keyed_seed


def draw(n, batch_size, steps, replicas=1, rank=0, seed=0, epoch=0, side="retain"):
    sampler = CycleSampler(
        range(n), batch_size=batch_size, steps=steps, num_replicas=replicas, rank=rank, seed=seed, side=side
    )
    sampler.set_epoch(epoch)
    order = list(sampler)
    assert len(order) == len(sampler) == steps * batch_size
    return order


def interleave(shares):
    return [index for together in zip(*shares, strict=True) for index in together]


sizes = st.integers(1, 40)
few = st.integers(1, 6)
keys = st.integers(0, 2**40)


@settings(deadline=None)
@given(n=sizes, batch_size=few, steps=few, replicas=st.integers(1, 4), seed=keys, epoch=st.integers(0, 9))
def test_a_global_batch_is_the_same_for_any_number_of_replicas(n, batch_size, steps, replicas, seed, epoch):
    key = {"steps": steps, "seed": seed, "epoch": epoch}
    one = draw(n, batch_size * replicas, **key)
    shares = [draw(n, batch_size, replicas=replicas, rank=rank, **key) for rank in range(replicas)]
    for t in range(steps):
        together = one[t * batch_size * replicas : (t + 1) * batch_size * replicas]
        assert interleave(share[t * batch_size : (t + 1) * batch_size] for share in shares) == together


@settings(deadline=None)
@given(n=sizes, batch_size=few, seed=keys, epoch=st.integers(0, 9))
def test_each_cycle_of_the_stream_holds_every_sample_once(n, batch_size, seed, epoch):
    order = draw(n, batch_size, ceil(3 * n / batch_size), seed=seed, epoch=epoch)
    for start in range(0, 3 * n, n):
        assert sorted(order[start : start + n]) == list(range(n))


def test_epochs_cycles_seeds_and_sides_have_orders_of_their_own():
    order = draw(50, 10, 10)
    assert order[:50] != order[50:]
    for other in ({"epoch": 1}, {"seed": 1}, {"side": "forget"}):
        assert draw(50, 10, 10, **other) != order
        assert draw(50, 10, 10, **other) == draw(50, 10, 10, **other)


def test_the_order_is_pinned():
    assert draw(6, 3, 2) == [0, 5, 3, 1, 4, 2]
    assert 0 <= keyed_seed("retain", 0) < 2**63


def test_drawing_leaves_the_global_random_stream_alone():
    before = torch.get_rng_state()
    draw(20, 4, 5)
    assert torch.equal(torch.get_rng_state(), before)


def test_batches_left_out_are_those_at_the_start():
    sampler = CycleSampler(range(7), batch_size=2, steps=4, num_replicas=2, rank=1)
    whole = list(sampler)
    sampler.first_batch = 3
    assert list(sampler) == whole[6:]


def test_it_is_a_distributed_sampler_that_refuses_a_rank_outside_the_replicas():
    assert issubclass(CycleSampler, DistributedSampler)
    with pytest.raises(ValueError, match="Invalid rank 2"):
        CycleSampler(range(3), batch_size=1, steps=1, num_replicas=2, rank=2)
