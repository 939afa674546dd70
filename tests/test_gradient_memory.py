"""`Gradient`: remembered products, memory, no waiting for a device, number formats."""

import gc
import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lightning_unlearn import Gradient, _tensors
from lightning_unlearn import gradient as gradient_module
from tests._gradients import SHAPES, equal, partial, random_gradient


# ---- remembered products ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("change", ["add_", "mul_", "project_off_"])
@pytest.mark.parametrize("changed", ["left", "right"])
def test_a_change_in_place_is_seen_by_the_next_product(change, changed):
    u, g, other = random_gradient(0), random_gradient(1), random_gradient(2)
    Gradient.dots((u, g), (u, u), (g, g), (g, u))
    target = u if changed == "left" else g
    getattr(target, change)(3.0 if change == "mul_" else other)
    fresh = [Gradient(dict(x.items())) for x in (u, g)]
    for a, b in [(0, 1), (1, 0), (0, 0), (1, 1)]:
        assert (u, g)[a].dot((u, g)[b]) == fresh[a].dot(fresh[b])


def test_a_product_is_computed_once_whichever_way_round(monkeypatch):
    calls = []
    dot = torch.dot
    monkeypatch.setattr(torch, "dot", lambda a, b: calls.append(1) or dot(a, b))
    u, g = random_gradient(0), random_gradient(1)
    for _ in range(2):
        u.dot(g), g.dot(u), u.cosine(g), u.norm(), g.coefficient(u)
    assert len(calls) == 3 * len(SHAPES)


@pytest.mark.parametrize("change", [lambda u: u.mul_(7.0), lambda u: u.add_(u).mul_(0.5)])
def test_a_norm_is_remembered_through_changes_in_place(change):
    u = random_gradient(0)
    square = u.clone().dot(u.clone())
    u.remember_norm()
    assert float(u.remembered_share()) == pytest.approx(float(square), rel=1e-14)
    v = random_gradient(0)
    v.remember_norm()
    change(v)
    change(v)
    assert float(v.remembered_share()) == pytest.approx(float(square), rel=1e-14)


def test_remembering_keeps_no_other_gradient_alive():
    u, tensor = random_gradient(0), torch.ones(SHAPES["scale"])
    alive = weakref.ref(tensor)
    gc.disable()  # a cycle would hold a whole copy of the model until the next collection
    try:
        u.dot(Gradient(dict(partial(1, "scale").items()) | {"scale": tensor.double()}))
        other = Gradient({"0": tensor})
        other.dot(other)
        del other, tensor
        assert alive() is None
    finally:
        gc.enable()


# ---- memory and waiting ----------------------------------------------------------------------------------------
class Allocations(TorchDispatchMode):
    """Bytes of every new tensor."""

    def __init__(self):
        super().__init__()
        self.bytes = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        given = {t.untyped_storage().data_ptr() for t in tree_leaves(args) if isinstance(t, torch.Tensor)}
        new = [t for t in tree_leaves(result) if isinstance(t, torch.Tensor)]
        self.bytes += [
            t.untyped_storage().nbytes() for t in new if t.untyped_storage().data_ptr() not in given
        ]
        return result


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "operation",
    [
        lambda u, g: u.project_off_(g),
        lambda u, g: u.project_off_(g, when="conflict"),
        lambda u, g: u.add_(g, 0.5),
        lambda u, g: u.mul_(u.norm()),
        lambda u, g: u.cosine(g),
    ],
)
def test_in_place_means_no_copy_not_even_for_a_moment(operation, dtype):
    u, g = (Gradient([torch.randn(500, 4, dtype=dtype), torch.randn(500, dtype=dtype)]) for _ in range(2))
    with Allocations() as new:
        operation(u, g)
    assert max(new.bytes, default=0) <= 64


def test_out_of_place_takes_one_copy():
    u, g = (Gradient([torch.randn(500, 4)]) for _ in range(2))
    with Allocations() as new:
        u.project_off(g)
    assert [size for size in new.bytes if size > 64] == [500 * 4 * 4]


def everything(u, g):
    yield from (u.dot(g), u.norm(), u.cosine(g), u.coefficient(g, when="conflict"))
    yield from (
        u + g,
        u - g,
        -u,
        2 * u,
        u * g.norm(),
        u / 3.0,
        u / g.norm(),
        u.clone(),
        u.map(lambda _, t: t * 2),
    )
    yield from (
        u.project_off(g),
        u.project_off(g, when="conflict"),
        u.keep({"scale": torch.ones_like(u["scale"])}),
    )
    yield from (u.clone().add_(g, u.norm()), u.clone().mul_(g.norm()), u.clone().project_off_(g))
    u.remember_norm()
    u.mul_(2.0)
    yield u.remembered_share()


READS = ("item", "__bool__", "__float__", "__int__", "__index__", "tolist", "numpy", "cpu", "nonzero")


@pytest.fixture
def scalars_on_a_device(monkeypatch):
    """Scalars in host memory count as scalars on an accelerator: what reads one waits for the device."""

    def refuse(*_, **__):
        raise AssertionError("a host synchronisation")

    for module in (_tensors, gradient_module):
        monkeypatch.setattr(module, "on_host", lambda scalar, *_: scalar)
    for name in READS:
        monkeypatch.setattr(torch.Tensor, name, refuse)
    yield
    monkeypatch.undo()


def test_nothing_waits_for_the_device(scalars_on_a_device):
    assert len(list(everything(random_gradient(0), partial(1, "layer.bias")))) == 20


@pytest.mark.parametrize("seeds", [(0, 1), (0, 2), (3, 1)])
@pytest.mark.parametrize("scale", [0.0, 1.0, float("inf"), float("nan")])
def test_a_device_computes_what_the_host_does(seeds, scale, request):
    operands = random_gradient(seeds[0]), random_gradient(seeds[1], scale)
    on_host = list(everything(*(g.clone() for g in operands)))
    request.getfixturevalue("scalars_on_a_device")
    on_device = list(everything(*(g.clone() for g in operands)))
    request.getfixturevalue("monkeypatch").undo()
    assert len(on_host) == 20
    for one, other in zip(on_host, on_device, strict=True):
        for a, b in zip(*(getattr(x, "tensors", [x]) for x in (one, other)), strict=True):
            assert torch.allclose(a, b, rtol=1e-14, atol=1e-14, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_nothing_needs_a_value(dtype):
    u, g = (
        Gradient({n: torch.empty(s, device="meta", dtype=dtype) for n, s in SHAPES.items()}) for _ in range(2)
    )
    assert all(x.device.type == "meta" for x in everything(u, g) if isinstance(x, torch.Tensor))
    chosen = u.where(torch.empty((), dtype=torch.bool, device="meta"), g)
    assert all(t.dtype == dtype and t.is_meta for t in chosen.tensors)


# ---- number formats --------------------------------------------------------------------------------------------
def test_float16_does_not_overflow_in_an_inner_product():
    u = Gradient([torch.ones(10**6, dtype=torch.float16)])
    g = Gradient([torch.full((10**6,), 2.0, dtype=torch.float16)])
    assert u.dot(g) == 2e6
    assert u.norm() == 1e3
    assert u.cosine(g) == 1
    assert not u.project_off(g)["0"].any()


@pytest.mark.parametrize(
    ("dtype", "unit"), [(torch.bfloat16, 2**-8), (torch.float16, 2**-11), (torch.float32, 2**-24)]
)
@pytest.mark.parametrize("when", ["always", "conflict"])
def test_half_precision_rounds_once(dtype, unit, when):
    # a coefficient rounded to the same format would be off by a whole unit where the others cancel
    generator = torch.Generator().manual_seed(0)
    g = torch.randn(2000, generator=generator).to(dtype)
    u = (-37.7 * g.double() + 0.1 * torch.randn(2000, generator=generator)).to(dtype)
    exact = u.double() - (u.double() @ g.double()) / (g.double() @ g.double()) * g.double()
    # rounded once at the end; before that, two inner products of 2000 terms in float32
    bound = unit * exact.abs() + 2000**0.5 * 2**-24 * u.double().abs()
    result = Gradient([u]).project_off_(Gradient([g]), when=when)["0"]
    assert result.dtype == dtype
    assert ((result.double() - exact).abs() <= bound).all()


def test_entries_of_different_formats():
    formats = dict(zip(SHAPES, (torch.bfloat16, torch.float32, torch.float64), strict=True))
    u, g = (random_gradient(seed).map(lambda n, t: t.to(formats[n])) for seed in (0, 1))
    exact_u, exact_g = (x.map(lambda _, t: t.double()) for x in (u, g))
    assert float(u.dot(g)) == pytest.approx(float(exact_u.dot(exact_g)), rel=1e-6)
    for when in ("always", "conflict"):
        result, exact = u.project_off(g, when=when), exact_u.project_off(exact_g, when=when)
        for name, tensor in result.items():
            assert tensor.dtype == formats[name]
            assert torch.allclose(
                tensor.double(), exact[name], rtol=2 * torch.finfo(tensor.dtype).eps, atol=1e-7
            )


def test_complex_entries_are_pairs_of_real_ones():
    a, b = (
        torch.randn(5, dtype=torch.complex128, generator=torch.Generator().manual_seed(i)) for i in (0, 1)
    )
    u, g = Gradient([a]), Gradient([b])
    flat_u, flat_g = (torch.view_as_real(x).flatten() for x in (a, b))
    assert float(u.dot(g)) == pytest.approx(float(flat_u @ flat_g), rel=1e-14)
    expected = flat_u - (flat_u @ flat_g) / (flat_g @ flat_g) * flat_g
    assert torch.allclose(torch.view_as_real(u.project_off(g)["0"]).flatten(), expected, rtol=1e-13)


@pytest.mark.parametrize("scale", [1e-18, 1e18])
def test_float32_whose_squares_are_within_its_range(scale):
    u, g = (random_gradient(seed, scale, torch.float32) for seed in (0, 1))
    exact_u, exact_g = (x.map(lambda _, t: t.double()) for x in (u, g))
    assert float(u.dot(g)) == pytest.approx(float(exact_u.dot(exact_g)), rel=1e-5)
    inner = u.project_off(g).map(lambda _, t: t.double()).dot(exact_g)
    assert inner.abs() <= 1e-6 * exact_u.norm() * exact_g.norm()


def test_float32_whose_squares_are_not():
    """Inner products inside one tensor are float32: too small counts as zero, too large shows as not finite."""
    u = random_gradient(0, dtype=torch.float32)
    small, large = (random_gradient(1, scale, torch.float32) for scale in (1e-25, 1e25))
    assert equal(u.project_off(small), u)
    assert not torch.isfinite(u.project_off(large).norm())


# ---- accelerators --------------------------------------------------------------------------------------------
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
def test_nothing_waits_for_an_accelerator():
    u, g = (random_gradient(seed, dtype=torch.float32).map(lambda _, t: t.cuda()) for seed in (0, 1))
    condition = torch.ones((), dtype=torch.bool, device="cuda")
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        list(everything(u, g))
        u.where(condition, g)
    finally:
        torch.cuda.set_sync_debug_mode("default")
