"""Every precision of the Trainer, fused optimisers, and windows with one bad batch in their middle."""

import math
import warnings

import pytest
import torch
from torch.optim import SGD, AdamW

from lightning_unlearn import ConfigurationError, FineTune, Gradient, GradientSurgery
from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies import _laws_failure as failures
from tests.strategies._cases import CASES, every_case, named, rows
from tests.strategies._loops import hand_fit
from tests.strategies._modules import Net, adamw, sgd
from tests.strategies._probes import Masked, PerMicroBatch

# differences of passes in half precision mean nothing: those rows are refused
HALF = [case for case in CASES if not case.finite_difference]
in_half = pytest.mark.parametrize("case", rows(*HALF))
uses_forget_in_half = pytest.mark.parametrize("case", rows(*(c for c in HALF if c.uses_forget)))
values = pytest.mark.parametrize("value", [math.nan, math.inf])


def fused_sgd(parameters):
    return SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.01, fused=True)


def fused_adamw(parameters):
    return AdamW(parameters, lr=0.01, weight_decay=0.1, fused=True)


fused = pytest.mark.parametrize("optimizer", [fused_sgd, fused_adamw])


# ---- double ------------------------------------------------------------------------------------------------------
def off_the_float64_loop(case, dtype, precision):
    """How far a module that was built in float32 ends from the loop by hand in float64."""
    module = Net(dtype=torch.float32)
    loaders = laws.loaders_for(case, fits.sides(dtype=dtype))
    pairs = [
        {side: [inputs.double(), labels] for side, (inputs, labels) in pair.items()}
        for pair in fits.pairs(loaders)
    ]
    by_hand = hand_fit(module.net.double(), sgd, pairs, case)
    module.net.float()
    fits.fit(module, loaders, case.make(), precision=precision)
    end = fits.weights(module)
    return fits.distance(end, dict(zip(end, by_hand, strict=True)))


@every_case
def test_64_true_makes_a_float32_module_equal_the_float64_loop_by_hand(case):
    assert off_the_float64_loop(case, torch.float64, "64-true") <= case.tolerance


def test_64_true_converts_the_batches_of_both_sides():
    assert off_the_float64_loop(named("surgery-paper"), torch.float32, "64-true") <= 1e-12


def test_control_32_true_is_off_the_float64_loop():
    assert off_the_float64_loop(named("surgery-paper"), torch.float32, "32-true") > 1e-9


# ---- half --------------------------------------------------------------------------------------------------------
def moved(case, **trainer):
    module = Net(dtype=torch.float32)
    start = fits.weights(module)
    loaders = laws.loaders_for(case, fits.sides(dtype=torch.float32))
    fits.fit(module, loaders, case.make(), max_epochs=1, **trainer)
    return torch.cat([(t.float() - start[n]).reshape(-1) for n, t in fits.weights(module).items()])


# a step is a few dozen roundings: 40 units in the last place, as for float16 in tests/strategies/test_precision.py
@in_half
def test_mixed_bfloat16_is_close_to_float32(case):
    exact, rounded = moved(case), moved(case, precision="bf16-mixed")
    assert exact.norm() > 1e-2
    assert (rounded - exact).norm() <= 40 * 2**-8 * exact.norm()
    assert not torch.equal(rounded, exact), "autocast did not act"


@in_half
def test_true_float16_runs_finite_in_float16(case):
    module = Net(dtype=torch.float32)
    start = fits.weights(module)
    loaders = laws.loaders_for(case, fits.sides(dtype=torch.float32))
    run = fits.fit(module, loaders, case.make(), precision="16-true")
    end = fits.weights(module)
    assert fits.finite(end)
    assert {t.dtype for t in end.values()} == {torch.float16}
    assert run.global_step == 2 * (3 if case.retain_free else 5)
    assert fits.distance(start, end) > 1e-2


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "16-true"])
def test_differences_of_passes_are_refused_in_half_precision(precision):
    module, loaders = Net(dtype=torch.float32), fits.sides(dtype=torch.float32)
    with pytest.raises(ConfigurationError, match="Use double backward"):
        fits.fit(module, loaders, named("hessian-differences").make(), precision=precision)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_inner_products_of_a_million_half_precision_entries_do_not_overflow(dtype):
    ones = torch.ones(10**6, dtype=dtype)
    assert float(torch.dot(ones, ones)) != 1e6, "torch's own is exact here: the test would say nothing"
    u, g = Gradient([ones.clone()]), Gradient([-ones])
    assert float(u.dot(g)) == -1e6
    assert float(u.norm()) == 1e3
    left = GradientSurgery(alpha=1.0, retain_weight=0.0).combine(u, g)  # opposite: nothing is left
    assert float(left.tensors[0].abs().max()) == 0.0


def first_step(case, side, value, precision, make=None):
    """Weights before and after a step with a bad batch, in half precision without a scaler."""
    watch = fits.Watch()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "1 steps of this epoch")
        data = failures.loaders_with(case, side, 0, value)
        module = Net(dtype=torch.float32)
        fits.fit(module, data, (make or case.make)(), watch, max_epochs=1, precision=precision)
    assert all(map(fits.finite, watch.weights))
    assert not fits.same(watch.weights[1], watch.weights[2]), "the next step was not made"
    return watch.weights[0], watch.weights[1]


def allowed_by(case, start, end):
    """`end` where the case's mask lets weights move, else `start`."""
    if case.mask is None:
        return end
    allowed = torch.from_numpy(case.mask(sum(t.numel() for t in start.values())))
    parts = allowed.split([t.numel() for t in start.values()])
    return {
        name: torch.where(part.reshape(t.shape), end[name], t)
        for (name, t), part in zip(start.items(), parts, strict=True)
    }


@in_half
@pytest.mark.parametrize(
    ("precision", "value"), [("bf16-mixed", math.nan), ("bf16-true", math.inf), ("16-true", math.inf)]
)
def test_without_a_scaler_a_bad_batch_in_half_precision_is_left_out(case, value, precision):
    if case.uses_forget:
        start, end = first_step(case, "forget", value, precision)
        if case.retain_free:
            assert fits.same(start, end)
        else:
            _, retain_only = first_step(case, "forget", value, precision, case.retain_alone)
            assert fits.same(end, allowed_by(case, start, retain_only))
            assert not fits.same(start, end)
    if not case.retain_free:
        start, end = first_step(case, "retain", value, precision)
        assert fits.same(start, end)


# ---- fused optimisers --------------------------------------------------------------------------------------------
@every_case
@fused
@pytest.mark.parametrize("with_scaler", [False, True])
def test_with_a_fused_optimiser_a_fit_equals_the_loop_by_hand(case, optimizer, with_scaler):
    if with_scaler and case.finite_difference:
        return  # no differences of passes under autocast
    laws.equals_hand_loop(case, optimizer=optimizer, with_scaler=with_scaler, accumulate=2)


def test_control_a_fused_optimiser_is_no_excuse_for_combining_per_micro_batch():
    with pytest.raises(AssertionError, match="off the loop by hand"):
        laws.equals_hand_loop(
            named("surgery-paper"), PerMicroBatch, optimizer=fused_sgd, with_scaler=True, accumulate=2
        )


@uses_forget_in_half
@pytest.mark.parametrize(("optimizer", "value"), [(fused_sgd, math.nan), (fused_adamw, math.inf)])
def test_a_scaler_skips_a_bad_batch_under_a_fused_optimiser(case, value, optimizer):
    for side in ["forget"] if case.retain_free else ["forget", "retain"]:
        data = failures.loaders_with(case, side, 2, value)
        failures.scaler_skips_the_step(case.make, data, 2, lambda: Net(optimizer, dtype=torch.float32))


@fused
@values
def test_what_may_not_move_stays_through_a_skipped_step_of_a_fused_optimiser(optimizer, value):
    module = Net(optimizer, dtype=torch.float32)
    start = torch.cat([t.reshape(-1) for t in fits.weights(module).values()])
    data = failures.loaders_with(named("masked"), "forget", 1, value)
    keep = failures.Keep()
    fits.fit(module, data, Masked(), keep, plugins=[laws.scaler()])
    end = torch.cat([t.reshape(-1) for t in fits.weights(module).values()])
    allowed = torch.arange(len(start)) % 2 == 0
    assert torch.equal(start[~allowed], end[~allowed])
    assert bool((start[allowed] != end[allowed]).all())
    before, after = (state["state"] for state in keep.states[1:3])
    for index, state in before.items():  # moments and step counters do not move either
        assert all(
            torch.equal(torch.as_tensor(v), torch.as_tensor(after[index][k])) for k, v in state.items()
        )


def test_clipping_beside_a_scaler_and_a_fused_optimiser_is_refused_by_lightning():
    with pytest.raises(RuntimeError, match="does not allow for gradient clipping"):
        laws.equals_hand_loop(named("surgery"), optimizer=fused_sgd, with_scaler=True, clip=0.05)


# ---- a bad batch in the middle of a window -----------------------------------------------------------------------
def window_run(case, side, bad, value, optimizer, make=None, **trainer):
    """Two windows of three batches; weights before, between and after."""
    dtype = torch.float32 if trainer else torch.float64
    loaders = fits.sides(24, 24, dtype=dtype)
    loaders[side] = fits.poisoned(loaders[side], bad, value)
    watch = fits.Watch()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "1 steps of this epoch")
        fits.fit(
            Net(optimizer, dtype=dtype),
            laws.loaders_for(case, loaders),
            (make or case.make)(),
            watch,
            max_epochs=1,
            accumulate_grad_batches=3,
            **trainer,
        )
    assert len(watch.weights) == 7
    return watch.weights[0], watch.weights[3], watch.weights[6], watch.scales


@uses_forget_in_half
@pytest.mark.parametrize(
    ("bad", "value", "optimizer"),
    [(1, math.inf, sgd), (1, math.nan, fused_adamw), (4, math.inf, fused_adamw)],
)
def test_a_scaler_skips_the_window_of_a_bad_batch(case, value, bad, optimizer):
    if bad // 3 % case.cycle:
        pytest.skip("the forget side is not asked in that window")
    for side in ["forget"] if case.retain_free else ["forget", "retain"]:
        start, middle, end, scales = window_run(case, side, bad, value, optimizer, plugins=[laws.scaler()])
        assert fits.finite(end)
        assert fits.same(start, middle) == (bad == 1)
        assert fits.same(middle, end) == (bad == 4)
        assert scales[-1] == scales[0] / 2


@pytest.mark.parametrize("case", rows(*(c for c in CASES if c.uses_forget)))
@pytest.mark.parametrize(("value", "optimizer"), [(math.nan, sgd), (math.inf, adamw)])
def test_without_a_scaler_the_window_of_a_bad_forget_batch_follows_the_retain_side(case, value, optimizer):
    start, middle, end, _ = window_run(case, "forget", 1, value, optimizer)
    assert fits.finite(end)
    assert not fits.same(middle, end)
    if case.retain_free:
        assert fits.same(start, middle)
        return
    _, expected, _, _ = window_run(case, "forget", 1, value, optimizer, case.retain_alone)
    expected = allowed_by(case, start, expected)
    assert fits.same(middle, expected)
    assert not fits.same(start, middle)


@pytest.mark.parametrize("case", rows(*(c for c in CASES if not c.retain_free)))
@values
def test_without_a_scaler_the_window_of_a_bad_retain_batch_is_no_step(case, value):
    start, middle, end, _ = window_run(case, "retain", 1, value, sgd)
    assert fits.same(start, middle)
    assert not fits.same(middle, end)
    assert fits.finite(end)


def test_control_a_finite_batch_is_not_left_out():
    for side in ("forget", "retain"):
        start, middle, _, _ = window_run(named("surgery"), side, 1, 1.0, sgd)
        assert not fits.same(start, middle)
        _, retain_only, _, _ = window_run(named("surgery"), side, 1, 1.0, sgd, FineTune)
        assert not fits.same(middle, retain_only)
