"""Law 8: options of the Trainer act as in any other fit."""

import importlib

import lightning.pytorch as L
import pytest
import torch
from torch.autograd.function import once_differentiable

from lightning_unlearn import ConfigurationError, GradientStrategy, GradientSurgery
from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies._cases import CASES, every_case, named, rows
from tests.strategies._modules import Net, adamw, lbfgs, plain_sgd, sgd
from tests.strategies._probes import HessianProbe, Nosy

OPTIONS = {
    "fast_dev_run": (1, {"fast_dev_run": True}),
    "fast_dev_run-2": (2, {"fast_dev_run": 2}),
    "limit_train_batches": (4, {"limit_train_batches": 2}),
    "overfit_batches": (4, {"overfit_batches": 2}),
    "max_steps": (2, {"max_steps": 2, "max_epochs": -1}),
    "max_steps-accumulated": (2, {"max_steps": 2, "max_epochs": -1, "accumulate_grad_batches": 2}),
    "lbfgs": (4, {"limit_train_batches": 2, "optimizer": lbfgs}),
    "reload": (4, {"limit_train_batches": 2, "reload_dataloaders_every_n_epochs": 1}),
    "profiler": (2, {"max_steps": 2, "max_epochs": -1, "profiler": "simple"}),
    "detect_anomaly": (2, {"max_steps": 2, "max_epochs": -1, "detect_anomaly": True}),
    "no-inference-mode": (2, {"max_steps": 2, "max_epochs": -1, "inference_mode": False}),
}


@every_case
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.filterwarnings("ignore:.*limit_train_batches. are different values")
def test_trainer_options_act_as_ever(case, option):
    steps, arguments = OPTIONS[option]
    laws.runs_with(case, steps, **arguments)


BAREBONES = {"logger": None, "enable_checkpointing": None, "enable_progress_bar": None}


@every_case
@pytest.mark.filterwarnings("ignore:.*barebones=True")
def test_a_barebones_run_gives_the_same_weights(case):
    ends = []
    for bare in (False, True):
        module = Net()
        quiet = {key: value for key, value in fits.QUIET.items() if "enable" not in key}
        quiet = (
            {k: v for k, v in quiet.items() if k not in ("logger", "log_every_n_steps")}
            if bare
            else fits.QUIET
        )
        trainer = L.Trainer(**quiet, barebones=bare, callbacks=[case.make()])
        trainer.fit(module, laws.loaders_for(case, fits.sides()))
        ends.append(fits.weights(module))
    assert fits.same(*ends)


def test_control_a_wrong_number_of_steps_breaks_the_law():
    with pytest.raises(AssertionError):
        laws.runs_with(named("surgery"), 3, max_steps=2, max_epochs=-1)


@every_case
def test_one_object_can_be_fitted_twice(case):
    used = case.make()
    fits.fit(Net(), laws.loaders_for(case, fits.sides()), used)
    if (
        not case.retain_free
    ):  # metrics of a module that sees forget batches alone stay empty: torchmetrics warns
        laws.runs_agree(case, used, case.make())
        return
    ends = []
    for strategy in (used, case.make()):
        module = Net()
        fits.fit(module, laws.loaders_for(case, fits.sides()), strategy)
        assert strategy.progress.step == 6
        ends.append(fits.weights(module))
    assert fits.same(*ends)


@pytest.mark.parametrize("case", rows(*(c for c in CASES if not c.retain_free)))
def test_where_batches_wait_changes_nothing(case):
    on_cpu = case.make()
    on_cpu.hold = "cpu"
    laws.runs_agree(case, on_cpu, case.make(), accumulate_grad_batches=2)


@pytest.mark.parametrize("make", [Nosy, GradientSurgery])
@pytest.mark.parametrize("optimizer", [sgd, adamw, plain_sgd])
def test_an_epoch_of_the_forget_side_may_be_the_longer_one(make, optimizer):
    module = Net(optimizer)
    run = fits.fit(module, fits.sides(retain=8, forget=20), make())
    assert run.global_step == 10
    assert fits.finite(fits.weights(module))


# ---- names -------------------------------------------------------------------------------------------------------
GRADIENT_KEYS = {"unlearn/grad_cosine", "unlearn/conflict_rate", "unlearn/removed_fraction"}
FORGET_KEYS = {"unlearn/forget/loss_step", "unlearn/forget/loss_epoch"}
RETAIN_KEYS = {"loss_step", "loss_epoch"}


@every_case
def test_what_is_logged_has_stable_names(case):
    logger = fits.Recording()
    strategy = case.make()
    fits.fit(Net(), laws.loaders_for(case, fits.sides()), strategy, logger=logger)
    expected = {"epoch"} if case.retain_free else {"epoch"} | RETAIN_KEYS
    by_predictions = ("Uniform", "Bounded", "Confusion", "WeightedAscent")
    calls_the_users_step = type(strategy.objective).__name__ not in by_predictions
    if case.uses_forget and calls_the_users_step:
        expected |= FORGET_KEYS
    if isinstance(strategy, GradientStrategy):
        expected |= GRADIENT_KEYS
    expected |= {f"unlearn/{name}" for name in case.reports}
    assert logger.names() == (expected if expected > {"epoch"} else set())


def test_diagnostics_are_in_their_ranges():
    logger = fits.Recording()
    fits.fit(Net(), fits.sides(), GradientSurgery(alpha=1.0), logger=logger, max_epochs=4)
    reported = [metrics for _, metrics in logger.records if "unlearn/grad_cosine" in metrics]
    assert len(reported) == 20
    conflicts = 0
    for n, metrics in enumerate(reported, start=1):
        cosine = metrics["unlearn/grad_cosine"]
        assert -1 <= cosine <= 1
        conflicts += cosine < 0
        assert metrics["unlearn/conflict_rate"] == pytest.approx(conflicts / n)
        assert metrics["unlearn/removed_fraction"] == pytest.approx(
            cosine**2 if cosine < 0 else 0.0, abs=1e-7
        )
    assert conflicts > 0, "no step conflicted: the formula was not tried"


# ---- not twice differentiable ------------------------------------------------------------------------------------
class Square(torch.autograd.Function):
    """Its derivative is refused in the second backward, not in the first."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        return 2 * grad * ctx.saved_tensors[0]


class Once(Net):
    def forward(self, inputs):
        return Square.apply(self.net(inputs))


def test_double_backward_through_what_is_differentiable_once_is_refused_with_a_remedy():
    with pytest.raises(ConfigurationError, match="finite_difference"):
        fits.fit(Once(), fits.sides(), HessianProbe())


# ---- compiled ----------------------------------------------------------------------------------------------------
def dynamo_runs():
    try:
        compiled = torch.compile(torch.nn.Linear(1, 1), backend="aot_eager")
        compiled(torch.ones(1, 1)).sum().backward()
    except Exception as error:
        return str(error)
    return ""


@pytest.fixture
def compiling():
    importlib.import_module("torch._dynamo").reset()
    if problem := dynamo_runs():
        pytest.skip(f"torch.compile cannot run here: {problem}")


class Compiled(Net):
    def __init__(self, compiled):
        super().__init__(dtype=torch.float32)
        self.run = torch.compile(self.net, backend="aot_eager") if compiled else self.net

    def forward(self, inputs):
        return self.run(inputs)


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", rows(*(c for c in CASES if not c.double_backward and not c.finite_difference))
)
@pytest.mark.usefixtures("compiling")
def test_a_compiled_submodule_gives_the_same_weights(case):
    ends = []
    for compiled in (False, True):
        module = Compiled(compiled)
        fits.fit(module, laws.loaders_for(case, fits.sides(dtype=torch.float32)), case.make(), max_epochs=1)
        ends.append(fits.weights(module.net))
    assert fits.distance(*ends) <= 1e-6
    assert fits.distance(ends[0], fits.weights(Compiled(False).net)) > 1e-3


@pytest.mark.slow
@pytest.mark.usefixtures("compiling")
def test_double_backward_through_a_compiled_submodule_is_refused_with_a_remedy():
    with pytest.raises(ConfigurationError, match="finite_difference"):
        fits.fit(Compiled(True), fits.sides(dtype=torch.float32), HessianProbe())
