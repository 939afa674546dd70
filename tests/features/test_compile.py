"""`torch.compile` of the module and of a part of it: the same weights, no trace, one graph for both sides."""

import importlib
import shutil

import pytest
import torch
from torch.nn.functional import cross_entropy

from lightning_unlearn import ConfigurationError, GradientAscent, GradientSurgery, Uniform, UnlearningStrategy
from tests.strategies import _fits as fits
from tests.strategies._cases import CASES, named, rows
from tests.strategies._laws import leaves_no_trace, loaders_for, scaler
from tests.strategies._modules import Net, Traces
from tests.strategies._probes import HessianProbe, LookAhead

BACKENDS = [
    "eager",
    "aot_eager",
    pytest.param(
        "inductor",
        marks=pytest.mark.skipif(
            not (shutil.which("g++") or shutil.which("clang++")), reason="there is no C++ compiler"
        ),
    ),
]
backends = pytest.mark.parametrize("backend", BACKENDS)
# torch's compiler looks at what `training_step` hands to `self.log`, in a plain fit as well
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


@pytest.fixture(autouse=True)
def dynamo():
    """A compiler that remembers nothing of the test before, and starts no process of its own."""
    dynamo = importlib.import_module("torch._dynamo")
    inductor = importlib.import_module("torch._inductor.config")
    dynamo.reset()
    try:
        torch.compile(torch.nn.Linear(1, 1), backend="aot_eager")(torch.ones(1, 1)).sum().backward()
    except Exception as error:
        pytest.skip(f"torch.compile cannot run here: {error}")
    dynamo.reset()
    dynamo.utils.counters.clear()
    with inductor.patch(compile_threads=1):
        yield dynamo
    dynamo.reset()


class Lean(Net):
    """Counts nothing in Python: a number of a module that changes is a reason to compile again."""

    def training_step(self, batch, batch_idx):
        loss = cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss, on_step=True, on_epoch=True)
        return loss


class Part(Lean):
    """Its network is compiled, the `training_step` is not."""

    def __init__(self, backend=None):
        super().__init__()
        self.run = torch.compile(self.net, backend=backend) if backend else self.net

    def forward(self, inputs):
        return self.run(inputs)


def whole(backend):
    module = Lean()
    return module, torch.compile(module, backend=backend) if backend else module


def part(backend):
    module = Part(backend)
    return module, module


ways = pytest.mark.parametrize("make", [whole, part], ids=["module", "part"])


def difference(make, backend, strategy, **trainer):
    """Between the compiled and the uncompiled run; both moved."""
    ends = []
    for chosen in (None, backend):
        module, given = make(chosen)
        start = fits.weights(module.net)
        fits.fit(given, fits.sides(), strategy(), **trainer)
        ends.append(fits.weights(module.net))
        assert fits.distance(start, ends[-1]) > 1e-3
    return fits.distance(*ends)


# rows that go different ways through a pass; every row goes through `aot_eager` below
STRATEGIES = {
    "surgery": GradientSurgery,
    "look-ahead": LookAhead,
    "uniform": lambda: GradientSurgery(alpha=1.0, objective=Uniform()),
}


@backends
@ways
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_compiled_run_gives_the_weights_of_one_that_is_not(make, backend, strategy):
    assert difference(make, backend, STRATEGIES[strategy], max_epochs=1) <= 1e-10


@pytest.mark.slow
@ways
@pytest.mark.parametrize("case", rows(*(c for c in CASES if not c.double_backward)))
def test_every_strategy_gives_the_same_weights_on_a_compiled_module(case, make):
    ends = []
    for backend in (None, "aot_eager"):
        module, given = make(backend)
        fits.fit(given, loaders_for(case, fits.sides()), case.make(), accumulate_grad_batches=2)
        ends.append(fits.weights(module.net))
    assert fits.distance(*ends) <= max(1e-10, case.tolerance)


def test_control_the_comparison_sees_another_strategy():
    makes = iter([GradientSurgery, lambda: GradientSurgery(alpha=0.99)])
    assert difference(part, "eager", lambda: next(makes)()) > 1e-6


# ---- no trace ----------------------------------------------------------------------------------------------------
class PartlyCompiled(Traces):
    """With batch normalisation and dropout inside what is compiled."""

    def __init__(self, backend):
        super().__init__()
        self.run = torch.compile(self.net, backend=backend)

    def forward(self, inputs):
        return self.run(inputs)


class Curious(UnlearningStrategy):
    """Asks for passes of both sides, here and elsewhere, and returns the retain gradient."""

    def direction(self, forget, retain):
        u, g = forget.gradient(), retain.gradient()
        forget.gradient(at=g * -0.1)
        retain.gradient(at=u * -0.1)
        return retain.gradient()


@pytest.mark.slow
@backends
def test_asking_for_everything_leaves_no_trace_on_a_compiled_part(backend):
    leaves_no_trace(Curious, lambda: PartlyCompiled(backend), epochs=2)


# ---- graphs ------------------------------------------------------------------------------------------------------
def graphs(dynamo):
    return dynamo.utils.counters["stats"]["unique_graphs"]


@backends
def test_one_graph_serves_both_sides_of_equal_batch_size(backend, dynamo):
    fits.fit(Part(backend), fits.sides(), GradientSurgery(alpha=1.0))
    assert graphs(dynamo) == 1


def test_a_compiled_training_step_has_one_graph_for_all_passes(dynamo):
    fits.fit(whole("eager")[1], fits.sides(), LookAhead())
    assert graphs(dynamo) == 1


def test_another_batch_size_of_the_forget_side_costs_one_more_graph(dynamo):
    loaders = fits.sides() | {"forget": fits.sides(forget=12, batch_size=3)["forget"]}
    fits.fit(Part("eager"), loaders, GradientSurgery(alpha=1.0), max_epochs=3)
    assert graphs(dynamo) == 2  # the second one takes any size


# ---- second derivatives ------------------------------------------------------------------------------------------
@ways
@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_double_backward_through_what_is_compiled_is_refused_with_the_remedy(make, backend):
    with pytest.raises(ConfigurationError, match=r"twice differentiable.*finite_difference"):
        fits.fit(make(backend)[1], fits.sides(), HessianProbe())


@ways
@backends
def test_central_differences_work_through_what_is_compiled(make, backend):
    probe = named("hessian-differences")
    assert difference(make, backend, probe.make, max_epochs=1) <= probe.tolerance


def test_without_an_ahead_of_time_graph_double_backward_works():
    assert difference(part, "eager", HessianProbe) <= 1e-10


# ---- and beside other options ------------------------------------------------------------------------------------
def test_a_compiled_module_is_left_as_a_plain_fit_leaves_it():
    left = []
    for data, callbacks in (
        (fits.sides()["retain"], []),
        (fits.sides(), [GradientSurgery(alpha=1.0)]),
        ({"forget": fits.sides()["forget"]}, [GradientAscent()]),
    ):
        module, given = whole("eager")
        fits.fit(given, data, *callbacks)
        left.append(vars(module).keys())
    assert left[0] == left[1] == left[2]


def test_a_compiled_run_under_a_scaler_equals_one_that_is_not():
    ends = []
    for backend in (None, "aot_eager"):
        module = Part(backend)
        fits.fit(module, fits.sides(), GradientSurgery(alpha=1.0), plugins=[scaler()])
        ends.append(fits.weights(module.net))
    assert fits.distance(*ends) <= 1e-10
