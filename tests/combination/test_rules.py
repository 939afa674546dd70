"""The rules of two gradients against other people's arithmetic: NumPy, SciPy, TorchJD; and what they promise."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from torchjd import aggregation

from lightning_unlearn import ConfigurationError, Gradient
from lightning_unlearn.combination import (
    a_gem,
    cagrad,
    dual_projection,
    mgda,
    normalised_difference,
    pcgrad,
)
from tests._gradients import partial, random_gradient
from tests.strategies._rules import conflict_averse, nearest_to_origin
from tests.test_gradient_oracles import KINDS, SCALES, error, flat, many, pair, pairs, solvable, unregularised

RULES = [a_gem, cagrad, dual_projection, mgda, normalised_difference, pcgrad]
SYMMETRIC = [rule for rule in RULES if rule is not a_gem]
every_rule = pytest.mark.parametrize("rule", RULES)
# of equal length up to a factor of ten: beyond that, rounding errors of the longer one hide the shorter
close = st.tuples(st.sampled_from(KINDS), st.integers(0, 2**31), st.floats(0.1, 10.0)).map(
    lambda case: (case[0], case[1], 1.0, case[2])
)


def both(u, g):
    return flat(u).numpy(), flat(g).numpy()


# ---- NumPy, SciPy ------------------------------------------------------------------------------------------------
@many
@given(close)
def test_mgda_is_the_nearest_point_of_a_segment(case):
    u, g = pair(*case)
    assert error(flat(mgda(u, g)), nearest_to_origin(*both(u, g)), *both(u, g)) <= 1e-12


@many
@given(pairs)
def test_normalised_difference_is_the_sum_of_unit_vectors(case):
    u, g = pair(*case)
    a, b = both(u, g)
    expected = b / np.linalg.norm(b) + 0.3 * a / np.linalg.norm(a)
    assert np.abs(flat(normalised_difference(u, g, 0.3)).numpy() - expected).max() <= 1e-14


def dual(u, g, c):
    """The function of w that CAGrad minimises, and the direction at w."""
    a, b = both(u, g)
    mean = (a + b) / 2
    length = c * np.linalg.norm(mean)

    def value(w):
        mixed = w * a + (1 - w) * b
        return mixed @ mean + length * np.linalg.norm(mixed)

    def direction(w):
        mixed = w * a + (1 - w) * b
        size = np.linalg.norm(mixed)
        return mean + (length / size * mixed if size > 0 else 0.0)

    return value, direction


def searched(u, g, c):
    value, direction = dual(u, g, c)
    found = minimize_scalar(value, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-12})
    return direction(min([0.0, 1.0, found.x], key=value))


@many
@given(close, st.sampled_from([0.1, 0.4, 0.5, 0.9, 0.999]))
def test_cagrad_is_what_a_search_for_the_weight_finds(case, c):
    u, g = pair(*case)
    # SciPy finds a minimum to the root of the rounding error
    assert error(flat(cagrad(u, g, c)), searched(u, g, c), *both(u, g)) <= 1e-6
    if case[0] in ("random", "conflicting", "orthogonal"):  # and a root to the rounding error
        assert error(flat(cagrad(u, g, c)), conflict_averse(*both(u, g), c), *both(u, g)) <= 1e-9


@many
@given(close, st.sampled_from([0.1, 0.4, 0.9]))
def test_cagrad_is_optimal_to_nine_digits(case, c):
    """Weak duality: the least inner product is never above the dual function, and equal to its minimum at the optimum."""
    u, g = pair(*case)
    a, b = both(u, g)
    d = flat(cagrad(u, g, c)).numpy()
    mean, size = (a + b) / 2, max(a @ a, b @ b)
    radius = c * np.linalg.norm(mean)
    assert np.linalg.norm(d - mean) <= radius + 1e-9 * math.sqrt(size)
    value = minimize_scalar(
        dual(u, g, c)[0], bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-12}
    ).fun
    value = min(value, dual(u, g, c)[0](0.0), dual(u, g, c)[0](1.0))
    assert min(d @ a, d @ b) == pytest.approx(value, abs=1e-9 * size)


# ---- TorchJD -----------------------------------------------------------------------------------------------------
def rows(u, g):
    return torch.stack([flat(u), flat(g)])


@many
@given(pairs)
def test_pcgrad_is_that_of_torchjd(case):
    u, g = pair(*case)
    if case[0] != "orthogonal":  # the sign of a rounding error decides
        assert error(flat(pcgrad(u, g)), aggregation.PCGrad()(rows(u, g)), *both(u, g)) <= 1e-12


@many
@given(solvable)
def test_pcgrad_is_twice_upgrad(case):
    u, g = pair(*case)
    theirs = 2 * aggregation.UPGrad(projector=unregularised())(rows(u, g))
    assert error(flat(pcgrad(u, g)), theirs, *both(u, g)) <= 1e-12


@many
@given(solvable)
def test_dual_projection_is_that_of_torchjd(case):
    u, g = pair(*case)
    theirs = aggregation.DualProj(projector=unregularised())(rows(u, g))
    assert error(flat(dual_projection(u, g)), theirs, *both(u, g)) <= 1e-12


@many
@given(solvable)
def test_a_gem_is_dual_projection_with_the_preference_on_the_forget_side(case):
    u, g = pair(*case)
    prefers = torch.tensor([1.0, 0.0], dtype=torch.float64)
    theirs = aggregation.DualProj(prefers, unregularised())(rows(u, g))
    assert error(flat(a_gem(u, g)), theirs, *both(u, g)) <= 1e-12


@many
@given(close)
def test_mgda_is_that_of_torchjd(case):
    u, g = pair(*case)
    assert error(flat(mgda(u, g)), aggregation.MGDA()(rows(u, g)), *both(u, g)) <= 1e-12


@settings(many, max_examples=50)
@given(close, st.sampled_from([0.1, 0.5, 0.9]))
def test_cagrad_is_that_of_torchjd(case, c):
    pytest.importorskip("cvxpy", reason="the extra torchjd[cagrad]")
    u, g = pair(*case)
    theirs = aggregation.CAGrad(c=c, norm_eps=0.0)(rows(u, g))
    assert error(flat(cagrad(u, g, c)), theirs, *both(u, g)) <= 1e-4  # the precision of its solver


# ---- what they promise -------------------------------------------------------------------------------------------
@many
@given(close)
def test_without_conflict_surgery_is_the_sum(case):
    u, g = pair(*case)
    g = g * math.copysign(1.0, float(u.dot(g)))
    if case[0] == "orthogonal":
        return
    for rule, expected in ((a_gem, u), (pcgrad, u + g), (dual_projection, (u + g) * 0.5)):
        assert torch.equal(flat(rule(u, g)), flat(expected))


@many
@given(close)
def test_no_rule_that_promises_it_raises_a_loss(case):
    """To first order: the inner product of the direction with both gradients is not negative."""
    u, g = pair(*case)
    size = max(float(u.norm()), float(g.norm())) ** 2
    for rule in (pcgrad, dual_projection, mgda):
        d = rule(u, g)
        assert min(float(d.dot(u)), float(d.dot(g))) >= -1e-13 * size
    assert float(a_gem(u, g).dot(g)) >= -1e-13 * size


@many
@given(close)
def test_mgda_descends_both_by_the_square_of_its_length_and_is_shortest(case):
    u, g = pair(*case)
    d, size = mgda(u, g), max(float(u.norm()), float(g.norm())) ** 2
    square = float(d.dot(d))
    assert min(float(d.dot(u)), float(d.dot(g))) >= square - 1e-12 * size
    for a in np.linspace(0.0, 1.0, 21):
        other = u * a + g * (1 - a)
        assert square <= float(other.dot(other)) + 1e-12 * size


def test_mgda_stalls_where_the_retain_gradient_is_short():
    u, g = random_gradient(0), random_gradient(1)
    g = g.project_off(u) * 1e-2
    d = mgda(u, g)
    assert float(d.dot(u) / u.norm() / d.norm()) < 0.03
    assert float((d - g).norm() / g.norm()) < 0.05


@many
@given(close)
def test_normalised_difference_is_twice_mgda_of_unit_vectors(case):
    u, g = pair(*case)
    if case[0] in ("random", "conflicting", "orthogonal"):
        halves = mgda(u / u.norm(), g / g.norm()) * 2
        assert float((normalised_difference(u, g) - halves).norm()) <= 1e-12


@every_rule
@pytest.mark.parametrize("scale", [s for s in SCALES if s != 1.0])
def test_a_common_scale_is_kept(rule, scale):
    u, g = random_gradient(3), random_gradient(4)
    scaled, plain = rule(u * scale, g * scale), rule(u, g)
    kept = 1.0 if rule is normalised_difference else scale
    torch.testing.assert_close(flat(scaled), flat(plain) * kept, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("rule", SYMMETRIC)
def test_neither_side_is_preferred(rule):
    for seed in range(20):
        u, g = random_gradient(seed), random_gradient(seed + 100) * 0.7
        torch.testing.assert_close(flat(rule(u, g)), flat(rule(g, u)), rtol=1e-12, atol=1e-14)


ZERO = {"u": (0.0, 1.0), "g": (1.0, 0.0), "both": (0.0, 0.0)}
WITHOUT = {  # rule: direction without u, without g_r, with neither; as multiples of what is left
    a_gem: (0.0, 1.0, 0.0),
    pcgrad: (1.0, 1.0, 0.0),
    dual_projection: (0.5, 0.5, 0.0),
    mgda: (0.0, 0.0, 0.0),
    cagrad: (0.5, 0.5, 0.0),
}


@pytest.mark.parametrize("zero", ZERO)
@pytest.mark.parametrize("rule", WITHOUT)
def test_zero_gradients(rule, zero):
    of_u, of_g = ZERO[zero]
    u, g = random_gradient(0) * of_u, random_gradient(1) * of_g
    expected = (u + g) * WITHOUT[rule][list(ZERO).index(zero)]
    torch.testing.assert_close(flat(rule(u, g)), flat(expected), rtol=1e-14, atol=0.0)


@pytest.mark.parametrize("zero", ZERO)
def test_of_a_zero_gradient_there_is_no_unit_vector(zero):
    of_u, of_g = ZERO[zero]
    u, g = random_gradient(0) * of_u, random_gradient(1) * of_g
    expected = sum((flat(x / x.norm()) for x in (u, g) if x.norm() > 0), torch.zeros(10, dtype=torch.float64))
    torch.testing.assert_close(flat(normalised_difference(u, g)), expected, rtol=1e-14, atol=0.0)


@pytest.mark.parametrize("rule", SYMMETRIC)
def test_equal_and_opposed_gradients(rule):
    u = random_gradient(0)
    assert flat(rule(u, u)).isfinite().all()
    assert flat(rule(u, -u)).abs().max() <= 1e-15 * float(u.norm())


@every_rule
def test_operands_are_left_alone_unless_one_may_be_overwritten(rule):
    u, g = random_gradient(0), random_gradient(1)
    before = flat(u).clone(), flat(g).clone()
    pure = rule(u, g)
    assert torch.equal(flat(u), before[0])
    memory = [t.data_ptr() for t in u.tensors]
    lean = rule(u, g, overwrite=True)
    assert torch.equal(flat(lean), flat(pure))
    assert [t.data_ptr() for t in lean.tensors] == memory
    assert torch.equal(flat(g), before[1])


@every_rule
def test_absent_entries_count_as_zero_and_stay_absent_where_both_are(rule):
    u, g = partial(0, "scale", "layer.bias"), partial(1, "scale")
    d = rule(u, g)
    assert d["scale"] is None
    filled = [Gradient({n: g[n] * 0 if t is None and g[n] is not None else t for n, t in u.items()}), g]
    assert torch.equal(d["layer.weight"], rule(*filled)["layer.weight"])


@every_rule
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_what_is_not_finite_comes_through(rule, value, side):
    operands = [random_gradient(0), random_gradient(1)]
    operands[side] = operands[side].map(lambda n, t: t + value if n == "scale" else t)
    assert not flat(rule(*operands)).isfinite().all()


@every_rule
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scale", [1e-6, 1.0])
def test_precisions(rule, dtype, scale):
    u, g = random_gradient(0, dtype=dtype), random_gradient(1, dtype=dtype)
    if dtype is not torch.float16:
        u, g = u * scale, g * scale
    exact = [Gradient({n: t.double() for n, t in x.items()}) for x in (u, g)]
    d = rule(u, g)
    assert {t.dtype for t in d.tensors} == {dtype}
    assert error(flat(d).double(), flat(rule(*exact)), flat(rule(*exact))) <= 4 * torch.finfo(dtype).eps


@pytest.mark.parametrize("c", [-0.1, 1.0, 2, math.nan, math.inf, "0.4", True, None])
def test_the_radius_of_cagrad_is_below_one(c):
    with pytest.raises(ConfigurationError) as raised:
        cagrad(random_gradient(0), random_gradient(1), c)
    assert str(raised.value) == f"`c` must be a number of at least 0 and below 1, found {c!r}."
