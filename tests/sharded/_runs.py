"""What every rank runs, in one launch: names to functions, whose results are tensors and plain values."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import lightning.pytorch as L
import torch
from torch.distributed.tensor import DTensor
from torchjd.aggregation import ConFIG

from lightning_unlearn import (
    ConfigurationError,
    FineTune,
    ForgettingMonitor,
    GradientAscent,
    GradientDifference,
    GradientSurgery,
    Holdout,
    RetainSurgery,
    TorchJDStrategy,
    _tensors,
)
from lightning_unlearn.passes import _runner, _source
from tests.sharded import _layouts as layouts
from tests.sharded import _probes as probes
from tests.strategies._cases import CASES, Case, named
from tests.strategies._probes import HessianProbe, LookAhead, Masked

Run = Callable[[], Any]

# ---- the rows of the case list -------------------------------------------------------------------------------------
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {"limit_train_batches": 3},
    "accumulation-2": {"limit_train_batches": 3, "accumulate_grad_batches": 2},
    "accumulation-3": {"limit_train_batches": 4, "accumulate_grad_batches": 3},
    "clip-norm": {"limit_train_batches": 2, "gradient_clip_val": 0.05},
    "clip-value": {"limit_train_batches": 2, "gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"},
}
ROWS = [case for case in CASES if not case.double_backward and not case.entrywise]
TELLING = [
    "surgery-paper",
    "surgery-uniform",
    "look-ahead-holdout",
    "hessian-differences",
    "masked",
    "prepared",
]


def end_of(case: Case, option: str, layout: str | None) -> Any:
    """The weights after an epoch."""
    module = layouts.fit(layout, case.make(), data=layouts.Shares(case), **OPTIONS[option])
    return layouts.ends(module)


def combinations() -> list[tuple[str, str, str]]:
    """(layout, row, option): torch clips no mixture of shards and plain tensors, nor splits one sample over two."""
    rows = [case.id for case in ROWS]
    unclipped = ["plain", "accumulation-2", "accumulation-3"]
    found = list(itertools.product(["fsdp"], rows, OPTIONS))
    found += itertools.product(["tensor"], rows, unclipped)
    by_sample = ("fisher", "sfron")
    whole = [row for row in rows if not row.startswith(by_sample)]
    found += itertools.product(["sequence"], whole, ["plain"])
    found += itertools.product(["sequence"], TELLING, ["clip-norm", "clip-value"])
    found += itertools.product(
        ["fsdp-in-one", "fsdp-hybrid", "fsdp-and-plain", "parallel-loss"], TELLING, ["plain"]
    )
    found += itertools.product(["fsdp-hybrid"], TELLING, ["clip-norm"])
    return found


# ---- one strategy, one look ------------------------------------------------------------------------------------------
def weights_after(
    *callbacks: Callable[[], L.Callback],
    layout: str | None,
    module: type[layouts.Wide] = layouts.Wide,
    data: Callable[..., layouts.Shares] = layouts.Shares,
    dtype: torch.dtype = torch.float64,
    **trainer: Any,
) -> Any:
    made = module(dtype=dtype)
    given = {"limit_train_batches": 3} | trainer
    layouts.fit(layout, *(make() for make in callbacks), module=made, data=data(dtype=dtype), **given)
    return layouts.ends(made)


def answer(ask: Callable[..., Any], layout: str | None) -> Any:
    strategy = probes.Asking(ask)
    layouts.fit(layout, strategy, limit_train_batches=1)
    return strategy.answer


def sums(layout: str | None) -> Any:
    strategy = probes.Sums()
    layouts.fit(layout, strategy, limit_train_batches=1)
    return strategy.found


def collectives(strategy: Callable[[], L.Callback] | None, only: str | None, layout: str) -> dict[str, int]:
    """By name, in the second step of a run."""
    counting = probes.Counting()
    callbacks = [counting] if strategy is None else [strategy(), counting]
    layouts.fit(layout, *callbacks, data=layouts.Shares(only=only), limit_train_batches=2)
    return dict(counting.mode.counts)


def refusal(module: type[layouts.Wide], layout: str, strategy: Callable[[], L.Callback]) -> tuple[str, bool]:
    """What is said, and whether a weight has moved by then."""
    made = module()
    start = layouts.ends(made)
    try:
        layouts.fit(layout, strategy(), module=made)
    except ConfigurationError as error:
        end = layouts.ends(made)
        return str(error), any(not torch.equal(start[name], end[name]) for name in start)
    raise AssertionError("not refused")


def monitored(layout: str | None) -> dict[str, Any]:
    """A run that is rolled back."""
    monitor = ForgettingMonitor(every_n_steps=1, target=None, retain_floor=0.9)
    module = layouts.Wide(optimizer=probes.quick)
    layouts.fit(layout, GradientDifference(alpha=3.0), monitor, module=module, max_epochs=4)
    placed = layout is None or isinstance(module.net[0].weight, DTensor)
    return {
        "history": monitor.history,
        "stopped": monitor.stopped,
        "weights": layouts.ends(module),
        "as it was": placed,
    }


LOOKS: dict[str, Callable[..., Any]] = {
    "algebra": partial(answer, probes.algebra),
    "moves": partial(answer, probes.moves),
    "anchored": partial(weights_after, probes.Anchored),
    "poisoned": partial(weights_after, GradientSurgery, data=partial(layouts.Shares, poison=True)),
    "poisoned-retain-free": partial(
        weights_after, GradientAscent, data=partial(layouts.Shares, named("ascent"), poison=True)
    ),
    "bfloat16": partial(
        weights_after, partial(GradientSurgery, when="always"), dtype=torch.float32, precision="bf16-mixed"
    ),
    "random": partial(weights_after, partial(GradientSurgery, when="always"), module=probes.Random),
    "manual": partial(weights_after, partial(GradientSurgery, when="always"), module=probes.Manual),
    "validated": partial(
        weights_after,
        probes.MaskedLookAhead,
        module=probes.Validated,
        data=probes.ValidatedShares,
        val_check_interval=1,
    ),
    "edited": partial(weights_after, probes.Stretch),
    "sums": sums,
    "monitored": monitored,
}
LOOKED_AT = {
    "algebra": ["fsdp", "fsdp-hybrid", "fsdp-and-plain", "tensor", "sequence"],
    "moves": ["fsdp", "fsdp-hybrid", "tensor", "sequence"],
    "anchored": ["fsdp-in-one", "tensor"],
    "poisoned": ["fsdp", "tensor", "fsdp-hybrid"],
    "poisoned-retain-free": ["fsdp"],
    "bfloat16": ["fsdp", "tensor"],
    "random": ["tensor", "sequence"],
    "manual": ["fsdp", "fsdp-in-one"],
    "validated": ["fsdp", "fsdp-in-one"],
    "edited": ["fsdp-in-one", "tensor"],
    "sums": ["fsdp", "fsdp-in-one", "tensor"],
    "monitored": ["fsdp", "fsdp-in-one", "tensor"],
}
STRATEGIES: dict[str, Callable[[], L.Callback]] = {
    "fine-tune": FineTune,
    "difference": partial(GradientDifference, alpha=1.0),
    "surgery": GradientSurgery,
    "retain-surgery": RetainSurgery,
    "look-ahead": LookAhead,
    "look-ahead-holdout": lambda: LookAhead(objective=Holdout(1.0)),
    "masked": Masked,
    "differences": partial(HessianProbe, method="finite_difference"),
    "one by one": probes.OneByOne,
}
REFUSED = {
    "fsdp": (layouts.Wide, "fsdp", HessianProbe),
    "tensor": (layouts.Wide, "tensor", HessianProbe),
    "frozen": (probes.Frozen, "tensor", HessianProbe),
    "manual": (probes.Manual, "fsdp", LookAhead),
    "unaveraged": (probes.Unaveraged, "fsdp", GradientSurgery),
    "entrywise": (layouts.Wide, "fsdp", partial(TorchJDStrategy, ConFIG())),
}


# ---- mistakes ----------------------------------------------------------------------------------------------------------
def twice(tensor: torch.Tensor, world_size: int) -> float:
    """Weight under which replicated shards count once a process."""
    return 1.0 if _tensors.is_sharded(tensor) else 1.0 / world_size


MISTAKES: dict[str, tuple[str, Callable[[], AbstractContextManager[None]]]] = {
    "local products": ("fsdp", lambda: layouts.replaced("summed", lambda shares: shares, _tensors)),
    "replicas counted twice": ("tensor", lambda: layouts.replaced("share", twice, _tensors)),
}


def mistaken(name: str) -> Any:
    layout, mistake = MISTAKES[name]
    with mistake():
        return end_of(named("surgery-paper"), "plain", layout)


def counted_twice() -> Any:
    """Where everything is replicated alike, the projection does not see it; the products do."""
    with layouts.replaced("share", twice, _tensors):
        return answer(probes.algebra, "fsdp-hybrid")


LEFT = ["validated", "edited", "monitored"]


def unsharded_left(look: str) -> Any:
    """What a forward pass has gathered stays where it is."""
    with layouts.replaced("reshard", lambda module: None, _runner, _source):
        return LOOKS[look](layout="fsdp-in-one")


def own_streams() -> Any:
    """Every process draws its own random numbers, also inside a tensor-parallel group."""
    replica = property(lambda runner: runner.trainer.global_rank)
    with layouts.replaced("replica", replica, _runner.Runner):
        return LOOKS["random"](layout="tensor")


# ---- everything ----------------------------------------------------------------------------------------------------------
def two_processes() -> dict[Any, Run]:
    runs: dict[Any, Run] = {
        (layout, row, option): partial(end_of, named(row), option, layout)
        for layout, row, option in combinations()
    }
    runs |= {
        (look, layout): partial(LOOKS[look], layout=layout)
        for look, where in LOOKED_AT.items()
        for layout in where
    }
    runs |= {("refused", name): partial(refusal, *arguments) for name, arguments in REFUSED.items()}
    runs |= {("mistaken", name): partial(mistaken, name) for name in MISTAKES}
    runs |= {("left gathered", look): partial(unsharded_left, look) for look in LEFT}
    runs |= {("mistaken", "algebra"): counted_twice, ("mistaken", "random"): own_streams}
    for layout in ("fsdp", "tensor"):
        runs |= {
            ("collectives", layout, side): partial(collectives, None, side, layout)
            for side in ("retain", "forget")
        }
        runs |= {
            ("collectives", layout, name): partial(collectives, make, None, layout)
            for name, make in STRATEGIES.items()
        }
    return runs


def four_processes() -> dict[Any, Run]:
    options = ("plain", "clip-value")
    rows = ["surgery-paper", "look-ahead-holdout", "masked", "fisher"]
    runs: dict[Any, Run] = {
        ("two-dimensional", row, option): partial(end_of, named(row), option, "two-dimensional")
        for row in rows
        for option in options
    }
    return runs | {("algebra", "two-dimensional"): partial(answer, probes.algebra, "two-dimensional")}


GROUPS = {"2": two_processes, "4": four_processes}
