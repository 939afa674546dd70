"""The host waits for nothing while a step is combined.

On `meta` a tensor has no values: whatever would wait for one raises. On CUDA, torch itself raises.
"""

import contextlib
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from lightning_unlearn import (
    FineTune,
    Gradient,
    GradientAscent,
    GradientDifference,
    GradientStrategy,
    GradientSurgery,
    Holdout,
    RetainSurgery,
)
from lightning_unlearn.passes import Side
from lightning_unlearn.passes._runner import Result
from lightning_unlearn.passes._writer import Writer
from tests.gpu.conftest import CUDA
from tests.strategies import _fits as fits
from tests.strategies._modules import Net

places = pytest.mark.parametrize("place", ["meta", CUDA])


class NoTransfers(TorchDispatchMode):
    """Raises where a tensor goes from one kind of device to another, or would be read."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        result = function(*args, **(kwargs or {}))
        tensors = [t for t in (*args, result) if isinstance(t, torch.Tensor)]
        copies = name in ("_to_copy", "copy_", "_local_scalar_dense", "nonzero", "is_nonzero")
        if copies and (len({t.device.type for t in tensors}) > 1 or not isinstance(result, torch.Tensor)):
            raise RuntimeError(f"called a synchronizing operation: {name}")
        return result


@contextlib.contextmanager
def waiting_for_nothing(place):
    if place == "meta":
        with NoTransfers():
            yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def boundary(place, strategy, scale):
    """Both sides of a boundary with gradients on `place`, and what writes the direction."""
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).to(place)
    parameters = dict(net.named_parameters())

    def result():
        gradient = Gradient({name: torch.randn_like(p) for name, p in parameters.items()})
        return Result(gradient, torch.randn((), device=place))

    def side(name):
        outer = (
            strategy.objective.outer if name == "forget" and isinstance(strategy.objective, Holdout) else None
        )
        return Side(net, parameters, lambda **_: result(), lambda value: value, outer, result())

    factor = None if scale is None else torch.full((), scale, device=place)
    runner = SimpleNamespace(parameters=lambda: parameters, scale=lambda: factor)
    return {name: side(name) for name in ("forget", "retain")}, Writer(runner), parameters


STRATEGIES = {
    "surgery": GradientSurgery,
    "surgery-always": lambda: GradientSurgery(alpha=1.0, retain_weight=0.0, when="always"),
    "surgery-holdout": lambda: GradientSurgery(alpha=1.0, objective=Holdout(1.0)),
    "retain-surgery": RetainSurgery,
    "difference": GradientDifference,
    "ascent": GradientAscent,
    "fine-tune": FineTune,
}


@places
@pytest.mark.parametrize("scale", [None, 1024.0])
@pytest.mark.parametrize("name", STRATEGIES)
def test_combining_and_writing_wait_for_nothing(name, scale, place):
    strategy = STRATEGIES[name]()
    sides, writer, parameters = boundary(place, strategy, scale)
    for _ in range(2):  # the second time with counts of the first
        with torch.no_grad(), waiting_for_nothing(place):
            direction = strategy.direction(sides["forget"], sides["retain"])
            writer.write(direction, sides, falls_back=strategy.needs_retain)
    assert all(p.grad is not None for p in parameters.values())


class Reads(GradientStrategy):
    """Looks at a number on the way."""

    def combine(self, forget, retain):
        return forget if float(forget.dot(retain)) > 0 else retain.clone()


class Branches(GradientStrategy):
    def combine(self, forget, retain):
        return forget if forget.dot(retain) > 0 else retain.clone()


class Fetches(GradientStrategy):
    def combine(self, forget, retain):
        return forget * forget.dot(retain).cpu()


@places
@pytest.mark.parametrize("make", [Reads, Branches, Fetches])
def test_control_a_strategy_that_looks_at_a_number_is_caught(make, place):
    strategy = make()
    sides, _, _ = boundary(place, strategy, None)
    with (
        pytest.raises((RuntimeError, NotImplementedError), match=r"meta|synchronizing"),
        torch.no_grad(),
        waiting_for_nothing(place),
    ):
        strategy.direction(sides["forget"], sides["retain"])


# ---- in a real run -----------------------------------------------------------------------------------------------
def guarded(strategy_class, place):
    """A strategy whose whole step at the boundary, its passes included, must not wait."""

    class Guarded(strategy_class):
        steps = 0

        def _combine(self, trainer, pl_module):
            guard = waiting_for_nothing(place) if place == "cuda" else contextlib.nullcontext()
            with guard:
                super()._combine(trainer, pl_module)
            type(self).steps += 1

    return Guarded()


@pytest.mark.parametrize("make", [GradientSurgery, RetainSurgery])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "scaled"])
def test_the_passes_of_a_real_run_wait_for_nothing(make, precision, device, trainer, float16):
    strategy = guarded(make, device.type)
    module = Net(dtype=torch.float32)
    run = trainer | (float16 if precision == "scaled" else {"precision": precision})
    fits.fit(module, fits.sides(dtype=torch.float32), strategy, log_every_n_steps=100, max_epochs=1, **run)
    assert strategy.steps == 5
    assert fits.finite(fits.weights(module))
