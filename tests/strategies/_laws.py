"""The laws of equality: 1 (a loop by hand), 2 (no trace), 4 (accumulation), 8 (Trainer options), 9 (what must stay).

Each is a function that raises `AssertionError`; the tests apply it to every row of `_cases.py`, and to strategies that
are broken on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning.pytorch as L
import torch
from lightning.pytorch.plugins import MixedPrecision

from lightning_unlearn import UnlearningStrategy
from tests.strategies import _fits as fits
from tests.strategies._cases import Case, Make
from tests.strategies._loops import hand_fit
from tests.strategies._modules import MakeOptimizer, Net, Spare, Traces, plain_sgd, sgd


def scaler(init_scale: float = 2.0**10) -> MixedPrecision:
    """A loss scaler on the CPU, where `precision="16-mixed"` alone would mean bfloat16."""
    return MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=init_scale))


def loaders_for(case: Case, loaders: dict[str, Any]) -> dict[str, Any]:
    """What the strategy is fitted on: a retain-free one gets the forget side alone."""
    return {"forget": loaders["forget"]} if case.retain_free else loaders


def equals_hand_loop(
    case: Case,
    make: Make | None = None,
    *,
    accumulate: int = 1,
    clip: float | None = None,
    algorithm: str = "norm",
    output: str = "tensor",
    optimizer: MakeOptimizer = sgd,
    with_scaler: bool = False,
    epochs: int = 2,
    amplification: float = 1.0,
    module: Callable[..., Net] = Net,
    **trainer: Any,
) -> None:
    """Law 1: the weights are those of a loop written by hand, in float64, with flat vectors.

    `amplification` is what an optimiser that divides by curvatures makes of rounding errors.
    """
    loaders = loaders_for(case, fits.sides())
    user = module(optimizer, output)
    by_hand = hand_fit(
        user.net,
        optimizer,
        fits.pairs(loaders),
        case,
        epochs=epochs,
        accumulate=accumulate,
        clip=clip,
        algorithm=algorithm,
    )
    start = fits.weights(user)
    fits.fit(
        user,
        loaders,
        (make or case.make)(),
        max_epochs=epochs,
        accumulate_grad_batches=accumulate,
        gradient_clip_val=clip,
        gradient_clip_algorithm=algorithm,
        plugins=[scaler()] if with_scaler else [],
        **trainer,
    )
    end = fits.weights(user)
    assert fits.distance(start, end) > 1e-3, "nothing moved: the comparison would say nothing"
    expected = dict(zip(end, by_hand, strict=True))
    size = max(1.0, max(float(t.abs().max()) for t in by_hand))
    error = fits.distance(end, expected) / size
    assert error <= case.tolerance * amplification, f"{error:.2e} off the loop by hand"


def leaves_no_trace(
    make: Make,
    module: Callable[[], L.LightningModule] = Traces,
    data: Callable[[], dict[str, Any]] = fits.shuffled_sides,
    epochs: int = 3,
    **trainer: Any,
) -> None:
    """Law 2: parameters, buffers, logs and random streams are those of a plain fit on the retain side, bit for bit."""
    runs = []
    for strategy in (None, make()):
        user, loaders, logger = module(), data(), fits.Recording()
        given = loaders["retain"] if strategy is None else loaders
        callbacks = [] if strategy is None else [strategy]
        fits.seed_all()
        run = fits.fit(user, given, *callbacks, logger=logger, max_epochs=epochs, **trainer)
        runs.append((user, run, logger, fits.streams()))
    (plain, plain_run, plain_log, plain_streams), (ours, our_run, our_log, our_streams) = runs
    assert fits.same(fits.weights(plain), fits.weights(ours)), "parameters differ"
    assert fits.same(dict(plain.named_buffers()), dict(ours.named_buffers())), "buffers differ"
    assert plain.state_dict().keys() == ours.state_dict().keys(), "a key was added"
    assert fits.of_user(plain_run.callback_metrics) == fits.of_user(our_run.callback_metrics)
    assert fits.of_user(plain_run.progress_bar_metrics) == fits.of_user(our_run.progress_bar_metrics)
    assert plain_log.of_user() == our_log.of_user(), "what the logger received differs"
    assert plain_log.records, "nothing was logged: the comparison would say nothing"
    assert plain_streams == our_streams, "random streams differ"
    assert plain_run.global_step == our_run.global_step


def degenerates_to_its_baseline(case: Case) -> None:
    """Law 2, second half: parameters that switch a strategy off give its baseline back, bit for bit."""
    assert case.degenerate is not None
    if case.baseline == "retain":
        leaves_no_trace(case.degenerate)
        return
    if case.baseline == "still":
        module = Net(plain_sgd)
        start = fits.weights(module)
        fits.fit(module, loaders_for(case, fits.sides()), case.degenerate())
        assert fits.same(start, fits.weights(module))
        return
    runs_agree(case, case.degenerate(), case.baseline())


def accumulation_equals_one_batch(case: Case, make: Make | None = None, parts: int = 2) -> None:
    """Law 4: `accumulate_grad_batches=k` equals one batch k times as large."""
    ends = []
    for k in (1, parts):
        module = Net()
        loaders = fits.sides(retain=24, forget=24, batch_size=12 // k)
        trainer = fits.fit(
            module, loaders_for(case, loaders), (make or case.make)(), accumulate_grad_batches=k
        )
        assert trainer.global_step == 4
        ends.append(fits.weights(module))
    assert fits.distance(fits.weights(Net()), ends[0]) > 1e-3, "nothing moved"
    error = fits.distance(*ends)
    assert error <= max(1e-12, case.tolerance), f"{error:.2e} apart"


def runs_with(case: Case, steps: int, optimizer: MakeOptimizer = sgd, **trainer: Any) -> None:
    """Law 8: a Trainer option acts as in any fit: this number of steps, finite weights that moved."""
    module = Net(optimizer)
    start = fits.weights(module)
    strategy = case.make()
    run = fits.fit(module, loaders_for(case, fits.sides()), strategy, **trainer)
    assert run.global_step == steps
    assert (strategy.progress.step, strategy.progress.total_steps) == (steps, steps)
    assert fits.finite(fits.weights(module))
    assert fits.distance(start, fits.weights(module)) > 0


def runs_agree(case: Case, left: UnlearningStrategy, right: UnlearningStrategy, **trainer: Any) -> None:
    """Two strategy objects give the same weights, bit for bit."""
    ends = []
    for strategy in (left, right):
        module = Traces()
        fits.seed_all()
        fits.fit(module, loaders_for(case, fits.shuffled_sides()), strategy, **trainer)
        ends.append(fits.weights(module))
    assert fits.same(*ends)


def frozen_and_unreached_stay(case: Case, optimizer: MakeOptimizer, make: Make | None = None) -> None:
    """Law 9: frozen parameters, and those that no loss reaches, are bit-identical after momentum and weight decay."""
    module = Spare(optimizer)
    start = fits.weights(module)
    fits.fit(module, loaders_for(case, fits.sides()), (make or case.make)())
    end = fits.weights(module)
    for name in start:
        stays = name.startswith(("net.0", "unused")) or name.endswith(case.still)
        assert torch.equal(start[name], end[name]) == stays, name


def masked_stay(make: Make, optimizer: MakeOptimizer) -> None:
    """Law 9: what `constrain` forbids does not move under momentum and weight decay; the rest does."""
    module = Net(optimizer)
    start = torch.cat([t.reshape(-1) for t in fits.weights(module).values()])
    fits.fit(module, fits.sides(), make())
    end = torch.cat([t.reshape(-1) for t in fits.weights(module).values()])
    allowed = torch.arange(len(start)) % 2 == 0
    assert torch.equal(start[~allowed], end[~allowed])
    assert bool((start[allowed] != end[allowed]).all())
