"""Optimisers that call their closure several times: every call combines at the weights of that call."""

import copy

import numpy as np
import pytest
import torch
from torch.optim import SGD

from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies._cases import CASES, every_case, named, rows
from tests.strategies._loops import Hand
from tests.strategies._modules import Net, lbfgs


class SAM(SGD):
    """Sharpness-aware minimisation (Foret et al. 2021): the gradient at `weights + ρ g/‖g‖` moves the weights."""

    def __init__(self, parameters, lr=0.1, rho=0.05):
        super().__init__(parameters, lr=lr, momentum=0.9)
        self.rho = rho
        self.seen = []

    @torch.no_grad()
    def step(self, closure=None):
        loss = self._call(closure)
        moved = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        length = torch.stack([p.grad.norm() for p in moved]).norm()
        before = [p.clone() for p in moved]
        for p in moved:
            p.add_(p.grad, alpha=float(self.rho / (length + 1e-12)))
        self._call(closure)
        for p, value in zip(moved, before, strict=True):
            p.copy_(value)
        super().step()
        return loss

    def _call(self, closure):
        with torch.enable_grad():
            loss = closure()
        weights = torch.cat([p.detach().reshape(-1) for g in self.param_groups for p in g["params"]])
        given = [(p, p.grad) for g in self.param_groups for p in g["params"]]
        gradient = torch.cat([(torch.zeros_like(p) if d is None else d).reshape(-1) for p, d in given])
        self.seen.append((weights, gradient))
        return loss


def run(case, optimizer=SAM, make=None, accumulate=1, **trainer):
    """The optimiser of a fit, and the module."""
    module, made = Net(optimizer), []
    configure = module.configure_optimizers
    module.configure_optimizers = lambda: made.append(configure()) or made[-1]
    loaders = laws.loaders_for(case, fits.sides())
    strategy = (make or case.make)()
    fits.fit(module, loaders, strategy, accumulate_grad_batches=accumulate, max_epochs=1, **trainer)
    return made[0], module, loaders


def worst(case, make=None, accumulate=1):
    """Largest difference between what a closure call left in `p.grad` and the direction by hand at its weights."""
    original = Net(SAM).net
    net = copy.deepcopy(original)
    optimizer, _, loaders = run(case, make=make, accumulate=accumulate)
    pairs = fits.pairs(loaders)
    windows = [pairs[i : i + accumulate] for i in range(0, len(pairs), accumulate)]
    assert len(optimizer.seen) == 2 * len(windows)
    errors = []
    for call, (weights, gradient) in enumerate(optimizer.seen):
        torch.nn.utils.vector_to_parameters(weights, net.parameters())
        hand = Hand(
            net, windows[call // 2], accumulate, case.term, case.outer, case.forget_labels, original, case.penalty,
            step=call // 2, total=len(windows),
        )  # fmt: skip
        expected = case.direction(hand)
        errors.append(np.abs(gradient.numpy() - expected).max() / np.abs(expected).max())
    assert not torch.equal(optimizer.seen[0][0], optimizer.seen[1][0]), (
        "both calls were made at the same weights"
    )
    return max(errors)


@every_case
@pytest.mark.parametrize("accumulate", [1, 2])
def test_each_closure_call_of_sam_combines_at_the_weights_of_that_call(case, accumulate):
    assert worst(case, accumulate=accumulate) <= max(1e-11, 100 * case.tolerance)


@every_case
def test_a_fit_with_sam_counts_optimiser_steps_and_not_closure_calls(case):
    strategy = case.make()
    optimizer, module, _ = run(case, make=lambda: strategy)
    steps = 3 if case.retain_free else 5
    assert len(optimizer.seen) == 2 * steps
    assert strategy.progress.step == module.trainer.global_step == steps


@pytest.mark.parametrize("hooked", [False, True])
def test_what_may_not_move_stays_under_sam(hooked):
    if (
        hooked
    ):  # torch wraps `SGD.step` once somebody has made an SGD: its hooks then run inside those of SAM's step
        SGD([torch.nn.Parameter(torch.zeros(1))])
    case = named("masked")
    start = torch.nn.utils.parameters_to_vector(Net(SAM).parameters()).detach()
    _, module, _ = run(case)
    end = torch.nn.utils.parameters_to_vector(module.parameters()).detach()
    allowed = torch.from_numpy(case.mask(len(start)))
    assert torch.equal(start[~allowed], end[~allowed])
    assert bool((start[allowed] != end[allowed]).all())


# those whose direction has no kink (an objective's or a conflict's): L-BFGS takes differences of directions
SMOOTH = [c for c in CASES if c.id in ("fine-tune", "ascent", "difference", "surgery-paper", "look-ahead")]


@pytest.mark.parametrize("case", rows(*SMOOTH))
@pytest.mark.parametrize("accumulate", [2, 3])
def test_lbfgs_sees_the_whole_window_at_every_closure_call(case, accumulate):
    laws.equals_hand_loop(case, optimizer=lbfgs, accumulate=accumulate, epochs=1, amplification=100.0)


class Stale(named("surgery-paper").make().__class__):
    """Combines with the forget gradient of the step's first closure call."""

    def direction_of(self, forget):
        if self._attached.step not in self.kept:
            self.kept[self._attached.step] = forget.clone()
        return self.kept[self._attached.step].clone()

    def combine(self, forget, retain):
        self.kept = getattr(self, "kept", {})
        return super().combine(self.direction_of(forget), retain)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_control_a_gradient_of_the_first_call_breaks_the_law(accumulate):
    make = lambda: Stale(retain_weight=0.0, when="always")  # noqa: E731
    assert worst(named("surgery-paper"), make, accumulate) > 1e-4


def test_control_plain_lightning_steps_along_a_sum_of_two_directions_under_accumulation():
    """What a strategy improves on: a closure that is called again adds to the gradient of the window before."""
    seen = []

    class Recorded(SAM):
        def _call(self, closure):
            loss = super()._call(closure)
            seen.append(self.seen[-1][1].norm())
            return loss

    fits.fit(Net(Recorded), fits.sides(retain=24)["retain"], accumulate_grad_batches=2, max_epochs=1)
    assert all(second > first for first, second in zip(seen[::2], seen[1::2], strict=True))
