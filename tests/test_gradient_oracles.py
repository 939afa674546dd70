"""`Gradient` against other people's arithmetic: flattened float64 NumPy, and TorchJD."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchjd.aggregation import DualProj, PCGrad, UPGrad

from lightning_unlearn import Gradient
from tests._gradients import DOUBLE, random_gradient

SCALES = [1e-60, 1e-20, 1e-12, 1e-8, 1e-6, 1.0, 1e6, 1e20, 1e60]
KINDS = ["random", "conflicting", "orthogonal", "parallel", "opposed", "nearly parallel", "nearly opposed"]
pairs = st.tuples(st.sampled_from(KINDS), st.integers(0, 2**31), *[st.sampled_from(SCALES)] * 2)
many = settings(
    deadline=None, max_examples=200
)  # a deadline would measure the neighbours on a shared machine


def flat(gradient):
    return torch.cat([t.flatten() for t in gradient.tensors])


def pair(kind, seed, scale, other_scale):
    """(u, g) of norms about `scale` and `other_scale`."""
    u, g = random_gradient(seed), random_gradient(seed + 1)
    if kind == "conflicting":
        u = u * -torch.sign(u.dot(g))
    elif kind == "orthogonal":
        u = Gradient({n: t if n == "scale" else t * 0 for n, t in u.items()})
        g = Gradient({n: t * 0 if n == "scale" else t for n, t in g.items()})
    elif kind != "random":
        sign = -1 if "opposed" in kind else 1
        u = sign * g + (u * 1e-6 if "nearly" in kind else u * 0)
    return u * scale, g * other_scale


def error(ours, theirs, *operands):
    """Largest deviation, relative to the largest vector that enters."""
    size = max(np.abs(np.asarray(x)).max() for x in operands)
    return np.abs(np.asarray(ours) - np.asarray(theirs)).max() / size


# ---- NumPy -----------------------------------------------------------------------------------------------------
def project(u, g, when):
    return u - (u @ g) / (g @ g) * g if when == "always" or u @ g < 0 else u


@many
@given(pairs)
def test_numpy(case):
    u, g = pair(*case)
    a, b = flat(u).numpy(), flat(g).numpy()
    length, other_length = (float(np.sqrt(x @ x)) for x in (a, b))
    assert abs(float(u.dot(g)) - a @ b) <= 1e-15 * length * other_length
    assert float(u.norm()) == pytest.approx(length, rel=1e-14)
    assert abs(float(u.cosine(g)) - a @ b / length / other_length) <= 1e-14
    assert error(flat(u + g), a + b, a, b) <= 1e-15
    assert error(flat(u - 0.3 * g), a - 0.3 * b, a, b) <= 1e-15
    assert error(flat(u.clone().add_(g, u.norm())), a + length * b, a, length * b) <= 1e-14
    if case[0] != "orthogonal":  # the sign of a rounding error decides
        for when in ("always", "conflict"):
            assert error(flat(u.project_off(g, when=when)), project(a, b, when), a) <= 1e-14


def test_numpy_where_the_size_of_a_dot_product_matters():
    """A million terms of one sign and a tiny one: accumulation in float32 would lose it between tensors."""
    u = Gradient([torch.ones(10**6), torch.full((1,), 1e-2)])
    assert float(u.dot(u)) == pytest.approx(10**6 + 1e-4, rel=1e-12)


# ---- TorchJD ---------------------------------------------------------------------------------------------------
def unregularised():
    """TorchJD's quadratic program without its absolute 1e-4s, which leave small gradients as they are."""
    pytest.importorskip("quadprog", reason="the extra torchjd[quadprog_projector]")
    from torchjd.linalg import QuadprogProjector

    return QuadprogProjector(norm_eps=0.0, reg_eps=0.0)


def symmetric(u, g):
    return u.project_off(g, when="conflict") + g.project_off(u, when="conflict")


# the program cannot be solved for a Gramian that is singular in float64: with parallel rows or rows of very
# different length there is no unregularised oracle
solvable = st.tuples(
    st.sampled_from(["random", "conflicting", "orthogonal"]), st.integers(0, 2**31), st.sampled_from(SCALES)
).map(lambda case: (*case, case[2] * 3))


@many
@given(solvable)
def test_one_sided_is_dual_projection_with_the_preference_on_the_forget_side(case):
    u, g = pair(*case)
    oracle = DualProj(torch.tensor([1.0, 0.0], dtype=DOUBLE), unregularised())
    theirs = oracle(torch.stack([flat(u), flat(g)]))
    assert error(flat(u.project_off(g, when="conflict")), theirs, flat(u)) <= 1e-12


@many
@given(pairs)
def test_symmetric_is_pcgrad(case):
    u, g = pair(*case)
    theirs = PCGrad()(torch.stack([flat(u), flat(g)]))
    if case[0] != "orthogonal":
        assert error(flat(symmetric(u, g)), theirs, flat(u), flat(g)) <= 1e-12


@many
@given(solvable)
def test_symmetric_is_twice_upgrad(case):
    u, g = pair(*case)
    theirs = 2 * UPGrad(projector=unregularised())(torch.stack([flat(u), flat(g)]))
    assert error(flat(symmetric(u, g)), theirs, flat(u), flat(g)) <= 1e-12


@many
@given(st.tuples(st.sampled_from(KINDS), st.integers(0, 2**31)))
def test_symmetric_is_twice_upgrad_up_to_its_regularisation(case):
    pytest.importorskip("quadprog", reason="the extra torchjd[quadprog_projector]")
    u, g = pair(*case, 1.0, 1.0)
    theirs = 2 * UPGrad()(torch.stack([flat(u), flat(g)]))
    # reg_eps = 1e-4 is added to a Gramian whose trace is 1: a row's share of it is at least the smaller square
    squares = float(u.dot(u)), float(g.dot(g))
    bound = 2 * 1e-4 * sum(squares) / min(squares)
    assert error(flat(symmetric(u, g)), theirs, flat(u), flat(g)) <= bound


@pytest.mark.parametrize("which", ["u", "g", "both"])
def test_zero_gradients(which):
    u, g = random_gradient(0), random_gradient(1)
    u, g = u * (which == "g"), g * (which == "u")
    for ours, theirs in [(u.project_off(g, when="conflict"), u), (symmetric(u, g), u + g)]:
        assert torch.equal(flat(ours), flat(theirs))
    assert torch.equal(flat(symmetric(u, g)), PCGrad()(torch.stack([flat(u), flat(g)])))
