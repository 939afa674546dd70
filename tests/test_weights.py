"""Weights that are moved come back bit for bit."""

import pytest
import torch

from lightning_unlearn import Gradient
from lightning_unlearn.weights import Snapshot, shifted


def make(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.nn.Parameter(torch.randn(shape, generator=generator).to(dtype))
        for name, shape in {"weight": (50, 4), "bias": (50,)}.items()
    }


def bits(parameters):
    return {name: p.detach().clone() for name, p in parameters.items()}


def same(parameters, saved):
    return all(torch.equal(p.detach(), saved[name]) for name, p in parameters.items())


def shift_of(parameters, size=0.3):
    return Gradient({name: size * torch.ones_like(p) for name, p in parameters.items()})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_a_shift_comes_back_bit_for_bit(dtype):
    parameters = make(dtype)
    before, shift = bits(parameters), shift_of(parameters)
    rounded_back = {n: (p + shift[n]) - shift[n] for n, p in before.items()}
    assert not same(parameters, rounded_back)  # adding the inverse would not do
    with shifted(parameters, shift):
        assert all(torch.equal(p.detach(), before[n] + shift[n]) for n, p in parameters.items())
    assert same(parameters, before)


def test_a_shift_comes_back_after_an_exception():
    parameters = make()
    before = bits(parameters)
    with pytest.raises(KeyboardInterrupt), shifted(parameters, shift_of(parameters)):
        raise KeyboardInterrupt
    assert same(parameters, before)


def test_shifts_nest():
    parameters = make()
    before = bits(parameters)
    with shifted(parameters, shift_of(parameters)):
        between = bits(parameters)
        with shifted(parameters, shift_of(parameters, -0.7)):
            assert not same(parameters, between)
        assert same(parameters, between)
    assert same(parameters, before)


@pytest.mark.parametrize("names", [("weight",), ("weight", "bias")])
def test_what_a_shift_does_not_name_is_not_moved(names):
    parameters = make()
    before = bits(parameters)
    shift = Gradient({n: torch.ones(50, 4) if n == "weight" else None for n in names})
    with shifted(parameters, shift):
        assert torch.equal(parameters["bias"].detach(), before["bias"])
        assert not torch.equal(parameters["weight"].detach(), before["weight"])
    assert same(parameters, before)


def test_a_shift_of_zero_moves_nothing_and_gradients_still_flow():
    parameters = make()
    before = bits(parameters)
    with shifted(parameters, shift_of(parameters, 0.0)):
        assert same(parameters, before)
        parameters["weight"].sum().backward()
    assert torch.equal(parameters["weight"].grad, torch.ones(50, 4))


def test_a_snapshot_has_memory_of_its_own_and_keeps_parameters():
    parameters = make()
    before, snapshot = bits(parameters), Snapshot(parameters)
    with torch.no_grad():
        for p in parameters.values():
            p.mul_(3.0)
    assert all(torch.equal(t, parameters[n].detach() - before[n]) for n, t in snapshot.update().items())
    objects = dict(parameters)
    snapshot.restore()
    assert same(parameters, before)
    assert parameters == objects
    snapshot.restore()  # may be used again
    assert same(parameters, before)


def test_a_constraint_that_changes_nothing_changes_no_bit():
    parameters = make()
    snapshot = Snapshot(parameters)
    with torch.no_grad():
        for p in parameters.values():
            p.mul_(1e-3)
    after = bits(parameters)
    update = snapshot.update()
    assert not same(parameters, {n: snapshot._saved[n] + update[n] for n in parameters})  # rounding is seen
    snapshot.replace_update(update, update.clone())
    assert same(parameters, after)


def test_entries_that_may_not_move_have_their_old_bits():
    parameters = make()
    before, snapshot = bits(parameters), Snapshot(parameters)
    with torch.no_grad():
        for p in parameters.values():
            p.mul_(1e-3)
    after, update = bits(parameters), snapshot.update()
    mask = torch.arange(200).reshape(50, 4) % 2
    snapshot.replace_update(update, update.keep({"weight": mask}))
    weight = parameters["weight"].detach()
    assert torch.equal(weight[mask == 0], before["weight"][mask == 0])
    assert torch.equal(weight[mask == 1], after["weight"][mask == 1])
    assert torch.equal(parameters["bias"].detach(), before["bias"])


def test_an_absent_allowance_forbids_and_a_smaller_one_shortens():
    parameters = {"a": torch.zeros(3), "b": torch.zeros(3)}
    snapshot = Snapshot(parameters)
    for p in parameters.values():
        p.add_(1.0)
    update = snapshot.update()
    snapshot.replace_update(update, Gradient({"a": None, "b": update["b"] * 0.25}))
    assert parameters["a"].tolist() == [0.0] * 3
    assert parameters["b"].tolist() == [0.25] * 3
