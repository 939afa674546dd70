"""The laws of failure: 5 (numbers that are not finite) and 7 (nothing is left behind)."""

from __future__ import annotations

import copy
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.optim import Optimizer

from lightning_unlearn import UnlearningStrategy
from tests.strategies import _fits as fits
from tests.strategies._cases import Case, Make
from tests.strategies._laws import loaders_for, scaler
from tests.strategies._modules import MakeOptimizer, Net, sgd

NAN = float("nan")


def loaders_with(
    case: Case, side: str, at: int, value: float, dtype: torch.dtype = torch.float32
) -> dict[str, Any]:
    """Five batches a side, one number of batch `at` of one side not finite."""
    loaders = fits.sides(retain=20, forget=20, dtype=dtype)
    loaders[side] = fits.poisoned(loaders[side], at, value)
    return loaders_for(case, loaders)


def scaler_skips_the_step(
    make: Make, data: dict[str, Any], bad: int, module: Callable[[], Net] | None = None
) -> None:
    """Law 5: with a scaler, step `bad` (and no other) is left out, and the scale is halved."""
    user = Net(dtype=torch.float32) if module is None else module()
    watch = fits.Watch()
    fits.fit(user, data, make(), watch, max_epochs=1, plugins=[scaler()])
    assert len(watch.weights) == len(next(iter(data.values()))) + 1
    for step, (before, after) in enumerate(zip(watch.weights[:-1], watch.weights[1:], strict=True)):
        assert fits.finite(after), f"weights are not finite after step {step}"
        assert fits.same(before, after) == (step == bad), f"step {step}"
    ratios = [after / before for before, after in zip(watch.scales[:-1], watch.scales[1:], strict=True)]
    assert ratios == [0.5 if step == bad else 1.0 for step in range(len(ratios))]


class Keep(fits.Watch):
    """Keeps the optimiser's state, too, and the hook counts at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[dict[str, Any]] = []

    def _take(self, trainer: Any, module: Any) -> None:
        super()._take(trainer, module)
        self.states.append(copy.deepcopy(trainer.optimizers[0].state_dict()))


def bad_forget_batch_is_left_out(
    case: Case, value: float, optimizer: MakeOptimizer = sgd, make_module: Callable[..., Net] = Net
) -> None:
    """Law 5, without a scaler: that step follows the retain gradient alone (retain-free: is not made); one warning."""
    bad, keep, module = 2, Keep(), make_module(optimizer)
    data = loaders_with(case, "forget", bad, value, torch.float64)
    with pytest.warns(UserWarning, match="1 steps of this epoch had a loss or gradient that was not finite"):
        fits.fit(module, data, case.make(), keep, max_epochs=1)
    assert all(map(fits.finite, keep.weights))
    before, after = keep.weights[bad : bad + 2]
    if case.retain_free:
        assert fits.same(before, after), "a step was made"
        return
    expected = _retain_step(case, module, optimizer, before, keep.states[bad], list(data["retain"])[bad])
    if case.mask is not None:
        flat = torch.cat([t.reshape(-1) for t in before.values()])
        allowed = torch.from_numpy(case.mask(len(flat)))
        parts = allowed.split([t.numel() for t in before.values()])
        kept = zip(before.items(), parts, strict=True)
        expected = {n: torch.where(m.reshape(t.shape), expected[n], t) for (n, t), m in kept}
    assert not fits.same(before, after), "no step was made"
    assert fits.distance(after, expected) <= 1e-15, "the step is not the retain side's"


def _retain_step(
    case: Case,
    module: Net,
    optimizer: MakeOptimizer,
    start: dict[str, Any],
    state: dict[str, Any],
    batch: Any,
) -> dict[str, Any]:
    net = copy.deepcopy(module.net)
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), start.values(), strict=True):
            parameter.copy_(value)
            parameter.grad = None
    stepper: Optimizer = optimizer(net.parameters())
    stepper.load_state_dict(state)
    loss = torch.nn.functional.cross_entropy(net(batch[0]), batch[1])
    (loss if case.penalty is None else loss + case.penalty(net)).backward()
    stepper.step()
    return {f"net.{name}": p.detach() for name, p in net.named_parameters()}


def bad_retain_batch_is_no_step(
    case: Case, value: float, optimizer: MakeOptimizer = sgd, make_module: Callable[..., Net] = Net
) -> None:
    """Law 5, without a scaler: where the retain gradient is not finite, nothing moves, momentum or not."""
    bad, keep = 2, Keep()
    data = loaders_with(case, "retain", bad, value, torch.float64)
    with pytest.warns(UserWarning, match="1 steps of this epoch"):
        fits.fit(make_module(optimizer), data, case.make(), keep, max_epochs=1)
    for step, (before, after) in enumerate(zip(keep.weights[:-1], keep.weights[1:], strict=True)):
        assert fits.finite(after)
        assert fits.same(before, after) == (step == bad), f"step {step}"


# ---- law 7 -------------------------------------------------------------------------------------------------------
def replaced(*owners: object) -> dict[tuple[str, str], Any]:
    """Instance attributes that stand before a function of their class."""
    return {
        (type(owner).__name__, name): value
        for owner in owners
        for name, value in vars(owner).items()
        if callable(getattr(type(owner), name, None))
    }


def hooks_of(optimizer: Optimizer) -> int:
    """Number of step hooks of an optimiser."""
    return len(optimizer._optimizer_step_pre_hooks) + len(optimizer._optimizer_step_post_hooks)


@contextmanager
def interruptible() -> Iterator[None]:
    """Lightning leaves SIGINT ignored after an interrupt: put its handler back."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def leaves_nothing_behind(
    strategy: UnlearningStrategy,
    module: Net,
    data: Any,
    error: type[BaseException] | None = None,
    **trainer: Any,
) -> None:
    """Law 7: after a fit, or the `error` that ends it, no attribute, hook or key of ours is left, anywhere."""
    import lightning.pytorch as L

    run = L.Trainer(**{**fits.QUIET, **trainer}, callbacks=[strategy])
    made: list[Optimizer] = []
    make = module.make_optimizer
    module.make_optimizer = lambda parameters: made.append(make(parameters)) or made[-1]
    datamodule = data if isinstance(data, L.LightningDataModule) else None
    owners = [owner for owner in (module, datamodule, run.strategy) if owner is not None]
    before, keys = replaced(*owners), set(module.state_dict())
    given = {"datamodule": data} if datamodule is not None else {"train_dataloaders": data}
    with interruptible(), warnings.catch_warnings():
        if error is None:
            run.fit(module, **given)
        else:
            expected = SystemExit if error is KeyboardInterrupt else error
            with pytest.raises(expected):
                run.fit(module, **given)
    assert replaced(*owners) == before, "an attribute is still replaced"
    assert set(module.state_dict()) == keys
    assert made, "the fit did not get as far as an optimiser"
    assert hooks_of(made[0]) == 0, "a hook is still registered"
    assert strategy._session is None
