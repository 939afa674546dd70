"""`granularity="tensor"`: the laws that apply where the second gradient never exists in full."""

import itertools
import math

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import GradientAccumulationScheduler
from torch import nn
from torch.utils.checkpoint import checkpoint
from torchjd.aggregation import AlignedMTL

from lightning_unlearn import (
    MGDA,
    CAGrad,
    ConfigurationError,
    GradientDifference,
    GradientSurgery,
    Holdout,
    NormalisedDifference,
    PCGrad,
    RetainSurgery,
    TorchJDStrategy,
)
from tests.manual._modules import ManualNet
from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies import _laws_failure as failure
from tests.strategies._cases import LEVEL, Case, holdout, named, off, rows
from tests.strategies._modules import Net, Spare, adamw, lbfgs, sgd
from tests.strategies._rules import aggregated, conflict_averse, nearest_to_origin, units


def by_tensor(rule):
    """A rule on whole vectors, applied to each parameter's own."""

    def direction(h):
        ends = list(itertools.accumulate(p.numel() for p in h.net.parameters()))[:-1]
        return np.concatenate(
            [rule(u, g) for u, g in zip(np.split(h.u, ends), np.split(h.g, ends), strict=True)]
        )

    return direction


def lean(name, make, rule, **arguments):
    return Case(name, lambda: make(granularity="tensor"), by_tensor(rule), **arguments)


CASES = [
    lean("surgery", lambda **k: GradientSurgery(alpha=1.0, **k), lambda u, g: off(u, g, "conflict") + g),
    lean("always", lambda **k: GradientSurgery(0.4, 0.7, "always", **k), lambda u, g: 0.4 * off(u, g) + 0.7 * g),
    lean("retain-surgery", RetainSurgery, lambda u, g: off(g, u)),
    lean("pcgrad", PCGrad, lambda u, g: off(u, g, "conflict") + off(g, u, "conflict")),
    lean("mgda", MGDA, nearest_to_origin),
    lean("cagrad", CAGrad, lambda u, g: conflict_averse(u, g, 0.4)),
    lean("normalised-difference", NormalisedDifference, units),
    lean("torchjd", lambda **k: TorchJDStrategy(AlignedMTL(), **k), aggregated(AlignedMTL())),
    lean("difference", lambda **k: GradientDifference(0.3, **k), lambda u, g: 0.3 * u + g),
    lean(
        "holdout",
        lambda **k: GradientSurgery(alpha=1.0, when="always", objective=Holdout(LEVEL), **k),
        lambda u, g: off(u, g) + g,
        term=nn.functional.cross_entropy,
        outer=holdout(LEVEL),
    ),
]  # fmt: skip
every_case = pytest.mark.parametrize("case", rows(*CASES))
SETTINGS = {
    "plain": {},
    "dict-output": {"output": "dict"},
    "clip-norm": {"clip": 0.05},
    "clip-value": {"clip": 0.01, "algorithm": "value"},
    "scaler": {"with_scaler": True},
    "adamw": {"optimizer": adamw},
    "lbfgs": {"optimizer": lbfgs, "epochs": 1, "amplification": 100.0},
}


@every_case
@pytest.mark.parametrize("setting", SETTINGS)
def test_law_1_a_fit_equals_a_loop_by_hand(case, setting):
    laws.equals_hand_loop(case, **SETTINGS[setting])


def test_control_law_1_fails_for_the_other_granularity():
    with pytest.raises(AssertionError, match="off the loop by hand"):
        laws.equals_hand_loop(CASES[0], lambda: GradientSurgery(alpha=1.0))


@pytest.mark.parametrize("make", [GradientSurgery, GradientDifference])
def test_law_2_switched_off_it_leaves_no_trace(make):
    laws.leaves_no_trace(lambda: make(alpha=0.0, granularity="tensor"))


def test_a_linear_rule_is_the_same_in_both():
    laws.runs_agree(
        named("difference"),
        GradientDifference(alpha=0.1, granularity="tensor"),
        GradientDifference(alpha=0.1),
    )


@every_case
@pytest.mark.parametrize("side", ["retain", "forget"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_law_5_a_scaler_skips_a_bad_batch(case, side, value):
    failure.scaler_skips_the_step(case.make, failure.loaders_with(case, side, 1, value), 1)


@every_case
@pytest.mark.parametrize("side", ["retain", "forget"])
@pytest.mark.parametrize("optimizer", [sgd, adamw])
def test_law_5_without_one_a_bad_batch_is_no_step(case, side, optimizer):
    bad, watch = 2, fits.Watch()
    data = failure.loaders_with(case, side, bad, math.nan, torch.float64)
    with pytest.warns(UserWarning, match="1 steps of this epoch"):
        fits.fit(Net(optimizer), data, case.make(), watch, max_epochs=1)
    for step, (before, after) in enumerate(zip(watch.weights[:-1], watch.weights[1:], strict=True)):
        assert fits.finite(after)
        assert fits.same(before, after) == (step == bad), f"step {step}"


@every_case
@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_law_7_nothing_is_left_behind(case, error):
    class Failing(Net):
        def training_step(self, batch, batch_idx):
            if error is not None and self.calls == 3:
                raise error
            return super().training_step(batch, batch_idx)

    module = Failing()
    failure.leaves_nothing_behind(case.make(), module, fits.sides(), error)
    assert not any(p._post_accumulate_grad_hooks for p in module.parameters())


@every_case
@pytest.mark.parametrize("optimizer", [sgd, adamw])
def test_law_9_frozen_and_unreached_parameters_stay(case, optimizer):
    laws.frozen_and_unreached_stay(case, optimizer)


class OneSided(Net):
    """Has a layer that only retain batches reach."""

    def __init__(self):
        super().__init__()
        self.extra = nn.Linear(fits.CLASSES, fits.CLASSES, dtype=torch.float64)
        self.forget = {tuple(row.tolist()) for row in fits.samples(12, 2).tensors[0]}

    def training_step(self, batch, batch_idx):
        logits = self(batch[0])
        if tuple(batch[0][0].tolist()) not in self.forget:
            logits = logits + self.extra(logits)
        return nn.functional.cross_entropy(logits, batch[1])


def test_what_one_side_does_not_reach_follows_the_other():
    module, plain = OneSided(), OneSided()
    plain.load_state_dict(module.state_dict())
    loaders = fits.sides()
    fits.fit(
        module, loaders, GradientSurgery(alpha=1.0, granularity="tensor"), max_epochs=1, limit_train_batches=1
    )
    fits.fit(plain, loaders["retain"], max_epochs=1, limit_train_batches=1)
    ends = fits.weights(module), fits.weights(plain)
    assert torch.equal(ends[0]["extra.weight"], ends[1]["extra.weight"])
    assert not torch.equal(ends[0]["net.0.weight"], ends[1]["net.0.weight"])


def test_what_is_reported():
    logger = fits.Recording()
    fits.fit(
        Net(), fits.sides(), GradientSurgery(alpha=1.0, granularity="tensor"), logger=logger, max_epochs=1
    )
    plain = fits.Recording()
    fits.fit(Net(), fits.sides(), GradientSurgery(alpha=1.0), logger=plain, max_epochs=1)
    assert {"unlearn/grad_cosine", "unlearn/conflict_rate"} <= logger.names()
    assert "unlearn/removed_fraction" not in logger.names()
    first = [next(m["unlearn/grad_cosine"] for _, m in log.records if "unlearn/grad_cosine" in m) for log in (logger, plain)]  # fmt: skip
    assert first[0] == pytest.approx(first[1], rel=1e-12)


class Checkpointed(Net):
    """Goes through its layers twice, each time in a checkpointed block."""

    def __init__(self, use_reentrant):
        super().__init__()
        self.square = nn.Linear(fits.FEATURES, fits.FEATURES, dtype=torch.float64)
        self.use_reentrant = use_reentrant

    def forward(self, inputs):
        inputs = inputs.requires_grad_()
        for _ in range(2):
            inputs = checkpoint(self.square, inputs, use_reentrant=self.use_reentrant)
        return self.net(inputs)


def test_checkpointed_blocks_are_fine():
    ends = []
    for granularity in ("tensor", "model"):
        torch.manual_seed(0)
        module = Checkpointed(use_reentrant=False)
        fits.fit(module, fits.sides(), GradientDifference(alpha=0.1, granularity=granularity))
        ends.append(fits.weights(module))
    assert fits.distance(*ends) <= 1e-14


REFUSED = {
    "accumulation": (Net, {"accumulate_grad_batches": 2}, "accumulate_grad_batches=2"),
    "accumulation-later": (Net, {"callbacks": [GradientAccumulationScheduler({1: 2})]}, "window of 2"),
    "manual-optimisation": (ManualNet, {}, "manual optimisation"),
    "reentrant-checkpointing": (lambda: Checkpointed(True), {}, "use_reentrant=False"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_law_10_refused_where_gradients_arrive_in_parts(name):
    make_module, trainer, remedy = REFUSED[name]
    callbacks = trainer.pop("callbacks", [])
    with pytest.raises(ConfigurationError, match=remedy):
        fits.fit(
            make_module(),
            fits.sides(),
            GradientSurgery(alpha=1.0, granularity="tensor"),
            *callbacks,
            **trainer,
        )


def test_frozen_layers_need_no_hook():
    module = Spare()
    fits.fit(module, fits.sides(), GradientSurgery(alpha=1.0, granularity="tensor"))
    assert not any(p._post_accumulate_grad_hooks for p in module.parameters())
