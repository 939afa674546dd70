"""`Gradient`: laws of the projection, in place and out of place, absent entries, names."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_unlearn import Gradient
from tests._gradients import DOUBLE, SHAPES, equal, partial, random_gradient

EPS = torch.finfo(DOUBLE).eps
quick = settings(deadline=None, max_examples=100)  # two shared cores: a deadline would measure the neighbours
scales = st.sampled_from([1e-100, 1e-20, 1e-12, 1e-6, 1.0, 1e6, 1e100])
seeds = st.integers(0, 2**31)
when = pytest.mark.parametrize("when", ["always", "conflict"])


def close(a, b, scale, rtol=8 * EPS):
    """Every entry agrees up to rounding, relative to a number that enters the computation."""
    return all((x - y).abs().max() <= rtol * scale for x, y in zip(a.tensors, b.tensors, strict=True))


# ---- laws of the projection ------------------------------------------------------------------------------------
@quick
@given(seeds, seeds, scales, scales)
def test_always_leaves_nothing_along_the_other(seed, other_seed, scale, other_scale):
    u, g = random_gradient(seed, scale), random_gradient(other_seed, other_scale)
    inner = u.project_off(g).dot(g)
    assert inner.abs() <= 8 * EPS * u.norm() * g.norm()


@quick
@given(seeds, seeds, scales, scales)
def test_on_conflict_no_conflict_is_left(seed, other_seed, scale, other_scale):
    u, g = random_gradient(seed, scale), random_gradient(other_seed, other_scale)
    projected = u.project_off(g, when="conflict")
    if u.dot(g) < 0:
        assert equal(projected, u.project_off(g))
        assert projected.dot(g) >= -8 * EPS * u.norm() * g.norm()
    else:
        assert equal(projected, u)


@quick
@given(seeds, seeds, scales, st.sampled_from(["always", "conflict"]))
def test_twice_is_once(seed, other_seed, scale, when):
    u, g = random_gradient(seed, scale), random_gradient(other_seed)
    once = u.project_off(g, when=when)
    assert close(once.project_off(g, when=when), once, float(u.norm()))


@quick
@given(seeds, seeds, scales, st.sampled_from(["always", "conflict"]))
def test_the_length_of_the_other_does_not_matter(seed, other_seed, factor, when):
    u, g = random_gradient(seed), random_gradient(other_seed)
    assert close(u.project_off(g * factor, when=when), u.project_off(g, when=when), float(u.norm()))


@quick
@given(seeds, seeds, scales, st.sampled_from(["always", "conflict"]))
def test_it_is_homogeneous(seed, other_seed, factor, when):
    u, g = random_gradient(seed), random_gradient(other_seed)
    expected = u.project_off(g, when=when) * factor
    assert close((u * factor).project_off(g, when=when), expected, factor * float(u.norm()))


@quick
@given(seeds, seeds)
def test_always_does_not_see_the_sign_of_the_other(seed, other_seed):
    u, g = random_gradient(seed), random_gradient(other_seed)
    assert equal(u.project_off(-g), u.project_off(g))


@when
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, DOUBLE])
def test_a_zero_other_leaves_self_unchanged(when, dtype):
    u, zero = random_gradient(0, dtype=dtype), random_gradient(0, 0.0, dtype)
    assert equal(u.project_off(zero, when=when), u)
    assert equal(zero.project_off(u, when=when), zero)
    assert zero.cosine(u) == 0
    assert zero.cosine(zero) == 0


@when
def test_parallel_and_opposed(when):
    u = random_gradient(0)
    for factor in (2.0, -2.0):
        expected = u if when == "conflict" and factor > 0 else u * 0.0
        assert close(u.project_off(u * factor, when=when), expected, float(u.norm()))
        assert float(u.cosine(u * factor)) == pytest.approx(factor / 2)


@when
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("at", ["self", "other"])
def test_what_is_not_finite_comes_through(when, bad, at):
    u, g = random_gradient(0), random_gradient(1)
    (u if at == "self" else g)["scale"].fill_(bad)
    assert not torch.isfinite(u.project_off(g, when=when).norm())


def test_an_unknown_condition_is_no_silent_always():
    u, g = random_gradient(0), -random_gradient(0)
    with pytest.raises(ValueError, match="when"):
        u.project_off(g, when="never")


# ---- in place and out of place ---------------------------------------------------------------------------------
PAIRS = {
    "add": (lambda u, g: u + g, lambda u, g: u.add_(g)),
    "subtract": (lambda u, g: u - g, lambda u, g: u.add_(g, -1.0)),
    "multiply": (lambda u, g: u * 0.3, lambda u, g: u.mul_(0.3)),
    "multiply from the left": (lambda u, g: 0.3 * u, lambda u, g: u.mul_(0.3)),
    "multiply by a tensor": (lambda u, g: u * g.norm(), lambda u, g: u.mul_(g.norm())),
    "divide": (lambda u, g: u / 4, lambda u, g: u.mul_(0.25)),
    "divide by a tensor": (lambda u, g: u / torch.tensor(4.0), lambda u, g: u.mul_(torch.tensor(0.25))),
    "negate": (lambda u, g: -u, lambda u, g: u.mul_(-1.0)),
    "project": (lambda u, g: u.project_off(g), lambda u, g: u.project_off_(g)),
    "project on conflict": (
        lambda u, g: u.project_off(g, when="conflict"),
        lambda u, g: u.project_off_(g, when="conflict"),
    ),
}
NON_DESTRUCTIVE = {name: pair[0] for name, pair in PAIRS.items()} | {
    "clone": lambda u, g: u.clone(),
    "keep": lambda u, g: u.keep({"scale": torch.tensor(1.0)}),
    "map": lambda u, g: u.map(lambda name, tensor: tensor + 1),
    "where true": lambda u, g: u.where(torch.tensor(True), g),
    "where false": lambda u, g: u.where(torch.tensor(False), g),
}


@pytest.mark.parametrize("name", PAIRS)
def test_in_place_equals_out_of_place(name):
    out_of_place, in_place = PAIRS[name]
    u, g = random_gradient(0), random_gradient(1)
    expected, pointers = out_of_place(u, g), [t.data_ptr() for t in u.tensors]
    result = in_place(u, g)
    assert result is u
    assert equal(result, expected)
    assert [t.data_ptr() for t in u.tensors] == pointers


@pytest.mark.parametrize("name", NON_DESTRUCTIVE)
def test_out_of_place_leaves_operands_alone_for_good(name):
    u, g = random_gradient(0), random_gradient(1)
    squares = u.dot(u), g.dot(g)
    NON_DESTRUCTIVE[name](u, g).mul_(0.0)  # changing the result in place is nobody else's business either
    assert equal(u, random_gradient(0))
    assert equal(g, random_gradient(1))
    assert (u.dot(u), g.dot(g)) == squares


# ---- absent entries --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [name for name in NON_DESTRUCTIVE if name != "keep"])
def test_absent_on_both_stays_absent(name):
    u, g = partial(0, "scale"), partial(1, "scale")
    result = NON_DESTRUCTIVE[name](u, g)
    assert result["scale"] is None
    assert result["layer.bias"] is not None


def test_absent_on_one_counts_as_zero():
    u, g = partial(0, "scale"), partial(1, "layer.bias")
    filled_u, filled_g = (
        Gradient({n: torch.zeros(SHAPES[n], dtype=DOUBLE) if t is None else t for n, t in x.items()})
        for x in (u, g)
    )
    assert u.dot(g) == filled_u.dot(filled_g)
    assert u.norm() == filled_u.norm()
    for operation, _ in PAIRS.values():
        result, expected = operation(u, g), operation(filled_u, filled_g)
        for (_, ours), (_, theirs) in zip(result.items(), expected.items(), strict=True):
            assert ours is None or torch.equal(ours, theirs)
    for total in (u + g, u - g, u.project_off(g)):
        assert all(tensor is not None for tensor in total.tensors)


def test_an_entry_that_became_present_has_memory_of_its_own():
    u, g = partial(0, "scale"), random_gradient(1)
    u.add_(g).mul_(0.0)
    assert equal(g, random_gradient(1))


def test_an_optimiser_with_weight_decay_leaves_an_absent_entry_alone():
    parameters = {n: torch.nn.Parameter(torch.ones(s, dtype=DOUBLE)) for n, s in SHAPES.items()}
    optimiser = torch.optim.SGD(parameters.values(), lr=0.1, weight_decay=0.5, momentum=0.9)
    direction = partial(0, "scale").project_off_(partial(1, "scale")).mul_(0.5) + partial(2, "scale")
    for _ in range(2):
        for name, parameter in parameters.items():
            parameter.grad = direction[name]
        optimiser.step()
    assert parameters["scale"] == 1
    assert (parameters["layer.bias"] != 1).all()


def test_all_absent():
    nothing = Gradient(dict.fromkeys(SHAPES))
    assert nothing.norm() == 0
    assert equal(nothing.project_off(nothing), nothing)
    assert equal(nothing * 2 + nothing, nothing)
    assert equal(nothing + random_gradient(0), random_gradient(0))


# ---- names -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("names", "message"),
    [(("a", "c"), r"\['b', 'c'\]"), (("a",), r"\['b'\]"), (("b", "a"), "the order")],
)
def test_misaligned_gradients_do_not_mix(names, message):
    u, g = Gradient({n: torch.ones(1) for n in "ab"}), Gradient({n: torch.ones(1) for n in names})
    for operation in (
        lambda: u.dot(g),
        lambda: u + g,
        lambda: u.project_off(g),
        lambda: u.where(torch.tensor(True), g),
    ):
        with pytest.raises(ValueError, match="must be aligned.*" + message):
            operation()


def test_lookup_by_name_and_the_words_of_repr():
    u = partial(0, "layer.bias")
    assert torch.equal(u["scale"], random_gradient(0)["scale"])
    assert u["layer.bias"] is None
    assert len(u) == 3
    assert repr(u) == "Gradient(layer.weight: [3, 2], layer.bias: absent, scale: [])"
    assert Gradient([torch.ones(1), None]).names == ("0", "1")
    with pytest.raises(ValueError, match="tuple"):
        u["elsewhere"]


def test_keep_and_map_go_by_name():
    u = random_gradient(0)
    mask = {"layer.weight": torch.tensor([[1, 0], [0, 1], [0, 0]]), "scale": torch.tensor(True)}
    expected = {"layer.weight": u["layer.weight"] * mask["layer.weight"], "scale": u["scale"]}
    kept = u.keep(mask)
    assert all(torch.equal(kept[n], t) for n, t in expected.items())
    assert not kept["layer.bias"].any()
    assert equal(u.keep(Gradient({n: torch.ones(s) for n, s in SHAPES.items()})), u)
    assert u.map(lambda name, tensor: torch.full_like(tensor, len(name)))["scale"] == len("scale")
