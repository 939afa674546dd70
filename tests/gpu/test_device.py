"""What only an accelerator can show: its autocast, its fused kernels, its random stream, its compiler."""

import math
import shutil
import warnings

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW

from lightning_unlearn import FineTune, GradientAscent, GradientDifference, GradientSurgery, RetainSurgery
from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies import _laws_failure as failures
from tests.strategies._cases import CASES, named, rows
from tests.strategies._modules import Net, Traces, plain_sgd
from tests.strategies._probes import Leaky, Masked, Nosy, PerMicroBatch

HALF = [case for case in CASES if not case.finite_difference]


def fused_adamw(parameters):
    return AdamW(parameters, lr=0.01, weight_decay=0.1, fused=True)


def fused_sgd(parameters):
    return SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.01, fused=True)


# ---- equality with the loop by hand, which stays on the CPU ------------------------------------------------------
@pytest.mark.parametrize("case", rows(*CASES))
def test_in_float64_a_fit_on_the_device_equals_the_loop_by_hand(case, trainer):
    if case.mask is not None and trainer["accelerator"] == "gpu":
        pytest.skip("the mask of this probe stays on the CPU")
    laws.equals_hand_loop(case, accumulate=2, amplification=100.0, **trainer)


@pytest.mark.parametrize("optimizer", [fused_adamw, fused_sgd])
@pytest.mark.parametrize("with_clipping", [False, True])
def test_a_fused_optimiser_on_the_device_equals_the_loop_by_hand(optimizer, with_clipping, trainer):
    clip = {"clip": 0.05} if with_clipping else {}
    laws.equals_hand_loop(
        named("surgery-paper"), optimizer=optimizer, amplification=100.0, accumulate=2, **clip, **trainer
    )


def test_control_combination_per_micro_batch_is_seen_on_the_device(trainer):
    with pytest.raises(AssertionError, match="off the loop by hand"):
        laws.equals_hand_loop(
            named("surgery-paper"), PerMicroBatch, accumulate=2, amplification=100.0, **trainer
        )


# ---- float16 -----------------------------------------------------------------------------------------------------
def moved(case, **trainer):
    module = Net(dtype=torch.float32)
    start = fits.weights(module)
    loaders = laws.loaders_for(case, fits.sides(dtype=torch.float32))
    fits.fit(module, loaders, case.make(), max_epochs=1, **trainer)
    return torch.cat([(t - start[n]).reshape(-1) for n, t in fits.weights(module).items()])


@pytest.mark.parametrize(
    "name", ["surgery", "surgery-paper", "retain-surgery", "look-ahead", "hessian-double-backward"]
)
def test_mixed_float16_is_close_to_float32(name, trainer, float16):
    exact, rounded = moved(named(name), **trainer), moved(named(name), **{**trainer, **float16})
    assert exact.norm() > 1e-2
    assert (rounded - exact).norm() <= 2e-2 * exact.norm()
    assert not torch.equal(exact, rounded), "autocast did not act"


@pytest.mark.parametrize("optimizer", [plain_sgd, fused_adamw, fused_sgd])
@pytest.mark.parametrize("value", [math.inf, math.nan])
@pytest.mark.parametrize("side", ["forget", "retain"])
def test_a_bad_batch_skips_the_step_and_halves_the_scale(side, value, optimizer, trainer, float16):
    steps = fits.Watch()
    data = failures.loaders_with(named("surgery"), side, 1, value)
    module = Net(optimizer, dtype=torch.float32)
    fits.fit(
        module, data, GradientSurgery(alpha=1.0, when="always"), steps, max_epochs=1, **{**trainer, **float16}
    )
    for step, (before, after) in enumerate(zip(steps.weights[:-1], steps.weights[1:], strict=True)):
        assert fits.finite(after)
        assert fits.same(before, after) == (step == 1), f"step {step}"
    assert steps.scales[2] == steps.scales[1] / 2


# ---- no scaler: the fallback is chosen on the device -------------------------------------------------------------
def all_bad(value):
    loaders = fits.sides(20, 20)
    inputs, labels = loaders["forget"].dataset.tensors
    bad = torch.utils.data.TensorDataset(torch.full_like(inputs, value), labels)
    return loaders | {"forget": torch.utils.data.DataLoader(bad, 4, generator=torch.Generator())}


@pytest.mark.parametrize("make", [GradientSurgery, GradientDifference, RetainSurgery])
@pytest.mark.parametrize("optimizer", [fused_adamw, fused_sgd])
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_bad_forget_batches_leave_the_retain_gradient(make, optimizer, value, trainer):
    ends = []
    for strategy in (FineTune(), make()):
        module = Net(optimizer)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "5 steps of this epoch")
            fits.fit(module, all_bad(value), strategy, **trainer)
        ends.append(fits.weights(module))
    assert fits.same(*ends)
    assert fits.finite(ends[1])


def test_bad_forget_batches_alone_move_nothing(trainer):
    module = Net(plain_sgd)  # on a device the step is taken with zeros: momentum and weight decay go on
    start = fits.weights(module)
    data = {"forget": all_bad(math.nan)["forget"]}
    with pytest.warns(UserWarning, match="5 steps of this epoch"):
        fits.fit(module, data, GradientAscent(), max_epochs=1, **trainer)
    assert fits.same(start, fits.weights(module))


# ---- no trace, in the device's random stream either --------------------------------------------------------------
@pytest.mark.parametrize("setting", [{}, {"accumulate_grad_batches": 2}])
def test_asking_for_everything_leaves_no_trace(setting, trainer):
    laws.leaves_no_trace(Nosy, Traces, **setting, **trainer)


def test_control_a_pass_that_draws_from_the_devices_stream_is_seen(trainer):
    with pytest.raises(AssertionError):
        laws.leaves_no_trace(Leaky, Dropping, data=lambda: fits.sides(dtype=torch.float32), **trainer)


class Dropping(Net):
    """Random in its dropout alone: the stream of the device."""

    def __init__(self):
        super().__init__(dtype=torch.float32)

    def build(self):
        return nn.Sequential(nn.Linear(fits.FEATURES, 8), nn.Dropout(0.5), nn.Linear(8, fits.CLASSES))


@pytest.mark.parametrize("make", [GradientSurgery, Nosy])
def test_where_batches_wait_changes_nothing(make, trainer):
    ends = []
    for hold in ("device", "cpu"):
        module = Traces()
        fits.seed_all()
        strategy = make(hold=hold)
        fits.fit(module, fits.shuffled_sides(), strategy, accumulate_grad_batches=3, **trainer)
        ends.append(fits.weights(module) | dict(module.named_buffers()))
    assert fits.same(*ends)


# ---- compiled ----------------------------------------------------------------------------------------------------
class Compiled(Net):
    def __init__(self, backend):
        super().__init__()
        self.run = torch.compile(self.net, backend=backend) if backend else self.net

    def forward(self, inputs):
        return self.run(inputs)


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="there is no C++ compiler")
@pytest.mark.parametrize("make", [GradientSurgery, Masked])
def test_what_inductor_compiles_gives_the_same_weights(make, trainer):
    if make is Masked and trainer["accelerator"] == "gpu":
        pytest.skip("the mask of this probe stays on the CPU")
    ends = []
    for backend in (None, "inductor"):
        module = Compiled(backend)
        fits.fit(module, fits.sides(), make(), **trainer)
        ends.append(fits.weights(module.net))
    assert fits.distance(*ends) <= 1e-10
