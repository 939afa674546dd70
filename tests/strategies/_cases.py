"""One row a strategy: adding a row runs every law on it.

A row says how to make the strategy, and, independently of the package, what its direction is as a float64 formula of
flat vectors (`Hand`), what its forget loss is, and what its degenerate parameters should give back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, softmax
from torchjd.aggregation import AlignedMTL, ConFIG, Sum

from lightning_unlearn import (
    LUR,
    MGDA,
    PGU,
    UNO,
    UNOS,
    Ascent,
    Bounded,
    CAGrad,
    FineTune,
    GradientAscent,
    GradientDifference,
    GradientSurgery,
    Holdout,
    NormalisedDifference,
    PCGrad,
    Relabel,
    RetainSurgery,
    SFRon,
    TorchJDStrategy,
    Uniform,
    UnlearningStrategy,
    WeightedAscent,
)
from tests.strategies import _sfron_hand as sfron_hand
from tests.strategies._fits import CLASSES, samples
from tests.strategies._loops import Hand, Outer, Term
from tests.strategies._pgu_cases import confusion, free_part, recorded, without_biases
from tests.strategies._probes import (
    Covariance,
    Fisher,
    HessianProbe,
    LookAhead,
    Masked,
    Prepared,
    RetainAlone,
    RetainLookAhead,
)
from tests.strategies._redirect_cases import redirect, redirected_direction, with_ascent
from tests.strategies._rules import Rule, aggregated, conflict_averse, nearest_to_origin, units
from tests.strategies._uno_cases import guidance, penalty, uno_direction, unos_direction

Make = Callable[[], UnlearningStrategy]


# ---- forget losses, again ----------------------------------------------------------------------------------------
def identity(mean: Tensor) -> Tensor:
    return mean


def ascent(logits: Tensor, labels: Tensor) -> Tensor:
    return -cross_entropy(logits, labels)


def next_label(logits: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(logits, (labels + 1) % CLASSES)


def uniform(logits: Tensor, labels: Tensor) -> Tensor:
    target = torch.full_like(logits, 1 / CLASSES)
    return (target * (target.log() - log_softmax(logits, dim=1))).sum(dim=1).mean()


def bounded(logits: Tensor, labels: Tensor, offset: float = 1e-3) -> Tensor:
    p = softmax(logits, dim=1)[torch.arange(len(labels)), labels]
    return -torch.log(1 - p + offset).mean()


def holdout(level: float) -> Outer:
    return lambda mean: torch.clamp(level - mean, min=0.0) ** 2


# ---- directions, again -------------------------------------------------------------------------------------------
def off(a: np.ndarray, b: np.ndarray, when: str = "always") -> np.ndarray:
    inner = a @ b
    return a if when == "conflict" and inner >= 0 else a - inner / (b @ b) * b


def surgery(alpha: float = 1.0, weight: float = 1.0, when: str = "conflict") -> Callable[[Hand], np.ndarray]:
    return lambda h: alpha * off(h.u, h.g, when) + weight * h.g


@dataclass(frozen=True)
class Case:
    """A strategy, and what is known of it from elsewhere.

    Attributes:
        id: of the test.
        make: a fresh strategy.
        direction: what its direction is, from a window's losses and derivatives.
        term: its forget loss of a batch.
        outer: the function of the mean of that.
        degenerate: the strategy with parameters that should give `baseline` back; `None` if it has none.
        baseline: `"retain"` for a plain fit on the retain side, `"still"` for weights that stay, or a strategy.
        mask: for a number of weights, which of them may move.
        allowed: of the original net and the optimiser's update: what of it may stand.
        still: how the names of parameters end that never move.
        moves: for a step, which weights may move in it.
        retain_free: whether it is fitted on the forget side alone.
        uses_forget: whether a forget pass is made at all.
        cycle: every how many steps the forget side is asked, from the first.
        double_backward: whether it needs a second derivative.
        finite_difference: whether it needs differences of passes, which half precision does not give.
        penalty: of a net, what is added to the losses of both sides; `None` for nothing.
        reports: what it logs, without the prefix.
        entrywise: whether it looks at single entries of gradients, which shards do not give.
        tolerance: of law 1, relative to weights of about 1.
    """

    id: str
    make: Make
    direction: Callable[[Hand], np.ndarray]
    term: Term = ascent
    outer: Outer = identity
    degenerate: Make | None = None
    baseline: Literal["retain", "still"] | Make = "retain"
    mask: Callable[[int], np.ndarray] | None = None
    allowed: Callable[[nn.Module, np.ndarray], np.ndarray] | None = None
    still: tuple[str, ...] = ()
    moves: Callable[[int], np.ndarray] | None = None
    retain_free: bool = False
    uses_forget: bool = True
    cycle: int = 1
    double_backward: bool = False
    finite_difference: bool = False
    penalty: Callable[[nn.Module], Tensor] | None = None
    reports: tuple[str, ...] = ()
    entrywise: bool = False
    tolerance: float = 1e-12

    def held(self, original: nn.Module, before: Tensor, after: Tensor, step: int) -> Tensor:
        """The flat weights after an optimiser's step, of which the strategy lets only a part stand."""
        movable = None if self.mask is None else self.mask(len(before))
        movable = movable if self.moves is None else self.moves(step)
        if movable is not None:
            after = torch.where(torch.from_numpy(movable), after, before)
        if self.allowed is not None:
            after = before + torch.from_numpy(self.allowed(original, (after - before).numpy()))
        return after

    @property
    def forget_labels(self) -> Tensor:
        """All labels of the forget set that the laws are run with."""
        return samples(12, 2).tensors[1]

    @property
    def retain_alone(self) -> Make:
        """What it comes to without a forget gradient."""
        return FineTune if self.penalty is None else lambda: RetainAlone(guidance=guidance())


def mean_label(h: Hand) -> float:
    return float(h.forget_labels.mean())


LEVEL = math.log(CLASSES) + 0.5  # above the loss of the untrained module: the objective has a slope


def surgery_with(objective: Callable[[], object]) -> Make:
    return lambda: GradientSurgery(alpha=1.0, when="always", objective=objective())


def without_forget_part(objective: Callable[[], object]) -> Make:
    return lambda: GradientSurgery(alpha=0.0, objective=objective())


def surgery_case(name: str, objective: Callable[[], object], term: Term, outer: Outer = identity) -> Case:
    return Case(
        f"surgery-{name}",
        surgery_with(objective),
        surgery(when="always"),
        term=term,
        outer=outer,
        degenerate=without_forget_part(objective),
    )


def hessian_direction(h: Hand) -> np.ndarray:
    return h.g + 0.2 * (h.retain_hessian @ h.u + h.forget_hessian @ h.g)


def hessian_case(name: str, method: str, tolerance: float, **arguments: object) -> Case:
    objective = Holdout(LEVEL) if "outer" in arguments else None
    return Case(
        f"hessian-{name}",
        lambda: HessianProbe(method=method, objective=objective),
        hessian_direction,
        degenerate=lambda: HessianProbe(c=0.0, method=method, objective=objective),
        double_backward=method == "double_backward",
        finite_difference=method == "finite_difference",
        tolerance=tolerance,
        **arguments,
    )


def looked_ahead(h: Hand, alpha: float, second_order: bool = True) -> np.ndarray:
    """`(I − α H_r) ∇F(θ − α g_r)`, or without `H_r`."""
    v = h.u_at(-alpha * h.g)
    return v - alpha * h.retain_hessian @ v if second_order else v


def lur_case(name: str, tolerance: float = 1e-12, **arguments: object) -> Case:
    return Case(
        f"lur{name}",
        lambda: LUR(0.3, 0.7, 2.0, **arguments),
        lambda h: 0.7 * h.g + 2.0 * looked_ahead(h, 0.3),
        term=partial(bounded, offset=1e-6),
        degenerate=lambda: LUR(0.3, forget_weight=0.0, **arguments),
        double_backward=not arguments,
        finite_difference=bool(arguments),
        reports=("grad_cosine", "alpha_curvature"),
        tolerance=tolerance,
    )


def rule_case(name: str, make: Make, rule: Rule, **known: object) -> Case:
    return Case(name, make, lambda h: rule(h.u, h.g), **known)


def fisher(h: Hand) -> np.ndarray:
    """Mean over the forget set of squared gradients at the original weights, one sample at a time."""
    inputs, labels = samples(12, 2).tensors
    net, total = h.original, 0.0
    for x, y in zip(inputs, labels, strict=True):
        loss = cross_entropy(net(x), y)
        gradients = torch.autograd.grad(loss, list(net.parameters()))
        total = total + torch.cat([g.reshape(-1) for g in gradients]) ** 2
    return (total / len(inputs)).numpy()


def times_covariance(h: Hand, flat: np.ndarray) -> np.ndarray:
    """A vector whose part for the second layer's weight is multiplied by the mean of x xᵀ over its retain inputs."""
    with torch.no_grad():
        x = h.original[:-1](samples(20, 1).tensors[0]).numpy()  # type: ignore[index]
    *before, weight, _ = h.original.parameters()
    start, size = sum(p.numel() for p in before), weight.numel()
    block = flat[start : start + size].reshape(weight.shape) @ (x.T @ x / len(x))
    return np.concatenate([flat[:start], block.reshape(-1), flat[start + size :]])


def alternating_case(
    name: str, make: type[SFRon], *, exponent: float = 0.5, gamma: float = 1.0, **arguments: object
) -> Case:
    strategy = {"alpha": 2.0, "retain_steps": 1, "exponent": exponent, "gamma": gamma, **arguments}
    return Case(
        name,
        lambda: make(**strategy),
        sfron_hand.direction(**strategy),
        term=sfron_hand.weighted(exponent),
        moves=sfron_hand.moves(strategy["retain_steps"], gamma, strategy.get("fisher_samples")),
        cycle=2,
        reports=("alpha", "mask_share", "clip_rate"),
    )


def plain_sum() -> UnlearningStrategy:
    return GradientDifference(alpha=1.0)


ORTHOGONAL = ("grad_cosine", "conflict_rate", "squared_cosine")


def uno_case(name: str, tolerance: float = 1e-12, outer: Outer | None = None, **arguments: Any) -> Case:
    objective = None if outer is None else Holdout(LEVEL)
    method = arguments.get("second_order", "double_backward")
    by_hand = {key: value for key, value in arguments.items() if key != "second_order"}
    return Case(
        name,
        lambda: UNO(objective=objective, **({"alpha": 0.0} | arguments)),
        lambda h: uno_direction(h, **by_hand),
        term=ascent if outer is None else cross_entropy,
        outer=outer or identity,
        degenerate=lambda: UNO(objective=objective, **arguments | {"weight": 0.0, "alpha": 0.0}),
        double_backward=method == "double_backward",
        finite_difference=method == "finite_difference",
        reports=ORTHOGONAL,
        tolerance=tolerance,
    )


CASES = [
    Case("fine-tune", FineTune, lambda h: h.g, degenerate=FineTune, uses_forget=False),
    Case(
        "ascent",
        GradientAscent,
        lambda h: h.u,
        degenerate=lambda: GradientAscent(objective=Holdout(0.0)),
        baseline="still",
        retain_free=True,
    ),
    Case(
        "ascent-holdout",
        lambda: GradientAscent(objective=Holdout(LEVEL)),
        lambda h: h.u,
        term=cross_entropy,
        outer=holdout(LEVEL),
        retain_free=True,
    ),
    Case(
        "difference",
        lambda: GradientDifference(alpha=0.3),
        lambda h: h.g + 0.3 * h.u,
        degenerate=lambda: GradientDifference(alpha=0.0),
    ),
    Case(
        "surgery",
        lambda: GradientSurgery(alpha=1.0),
        surgery(),
        degenerate=lambda: GradientSurgery(alpha=0.0),
    ),
    Case(
        "surgery-paper",
        lambda: GradientSurgery(alpha=1.0, retain_weight=0.0, when="always"),
        surgery(weight=0.0, when="always"),
        degenerate=lambda: GradientSurgery(alpha=0.0, retain_weight=0.0, when="always"),
        baseline="still",
    ),
    Case(
        "surgery-alpha",
        lambda: GradientSurgery(alpha=0.4, retain_weight=0.7),
        surgery(0.4, 0.7),
        degenerate=lambda: GradientSurgery(alpha=0.0, when="always"),
    ),
    Case(
        "retain-surgery",
        RetainSurgery,
        lambda h: off(h.g, h.u),
        degenerate=lambda: RetainSurgery(objective=Holdout(0.0)),  # u = 0
    ),
    Case(
        "uno",
        lambda: UNO(alpha=0.0),
        uno_direction,
        degenerate=lambda: UNO(weight=0.0, alpha=0.0),
        double_backward=True,
        reports=ORTHOGONAL,
    ),
    uno_case("uno-differences", 1e-8, second_order="finite_difference"),
    uno_case("uno-absolute", weight=0.5, relative=False, alpha=0.3),
    uno_case("uno-holdout", alpha=0.5, outer=holdout(LEVEL)),
    Case("unos", lambda: UNOS(alpha=0.0), unos_direction, double_backward=True, reports=ORTHOGONAL),
    Case(
        "redirect",
        lambda: GradientDifference(alpha=1.0, objective=with_ascent()),
        redirected_direction,
        degenerate=lambda: GradientDifference(alpha=1.0, objective=redirect(0.0, 0.0)),
    ),
    Case(
        "surgery-guided",
        lambda: GradientSurgery(alpha=1.0, when="always", guidance=guidance()),
        surgery(when="always"),
        degenerate=lambda: GradientSurgery(alpha=0.0, guidance=guidance(0.0)),
        penalty=penalty,
    ),
    surgery_case("relabel", lambda: Relabel(CLASSES, kind="next"), next_label),
    surgery_case("weighted", WeightedAscent, sfron_hand.weighted(0.5)),
    surgery_case("uniform", Uniform, uniform),
    surgery_case("bounded", lambda: Bounded(1e-3), bounded),
    surgery_case("holdout", lambda: Holdout(LEVEL), cross_entropy, holdout(LEVEL)),
    Case(
        "look-ahead",
        LookAhead,
        lambda h: h.g + h.u_at(-0.3 * h.g),
        degenerate=lambda: LookAhead(beta=0.0),
        baseline=plain_sum,
    ),
    Case(
        "look-ahead-retain",
        RetainLookAhead,
        lambda h: h.u + h.g_at(-0.3 * h.u),
        degenerate=lambda: RetainLookAhead(beta=0.0),
        baseline=plain_sum,
    ),
    Case(
        "look-ahead-holdout",
        lambda: LookAhead(objective=Holdout(LEVEL)),
        lambda h: h.g + h.u_at(-0.3 * h.g),
        term=cross_entropy,
        outer=holdout(LEVEL),
        degenerate=lambda: LookAhead(beta=0.0, objective=Holdout(LEVEL)),
        baseline=lambda: GradientDifference(alpha=1.0, objective=Holdout(LEVEL)),
    ),
    hessian_case("double-backward", "double_backward", 1e-12),
    hessian_case("holdout", "double_backward", 1e-12, term=cross_entropy, outer=holdout(LEVEL)),
    hessian_case("differences", "finite_difference", 1e-8),
    Case(
        "masked",
        Masked,
        lambda h: h.g + h.u,
        degenerate=lambda: Masked(every=1),
        baseline=plain_sum,
        mask=lambda n: np.arange(n) % 2 == 0,
    ),
    Case(
        "prepared",
        Prepared,
        lambda h: h.g + 0.5 * mean_label(h) * h.u,
        degenerate=lambda: Prepared(s=0.0),
    ),
    Case("fisher", Fisher, lambda h: h.g + 2.0 * fisher(h) * h.u, degenerate=lambda: Fisher(s=0.0)),
    Case(
        "covariance",
        Covariance,
        lambda h: h.g + times_covariance(h, h.u),
        degenerate=lambda: Covariance(s=0.0),
    ),
    lur_case(""),
    lur_case("-differences", 1e-8, second_order="finite_difference"),
    Case(
        "first-order-lur",
        lambda: LUR(0.3, first_order=True, objective=Holdout(LEVEL)),
        lambda h: h.g + 0.1 * looked_ahead(h, 0.3, second_order=False),
        term=cross_entropy,
        outer=holdout(LEVEL),
        degenerate=lambda: LUR(alpha=0.0, objective=Ascent()),
        baseline=lambda: GradientDifference(alpha=0.1),
        reports=("grad_cosine",),
    ),
    rule_case(
        "pcgrad",
        PCGrad,
        lambda u, g: off(u, g, "conflict") + off(g, u, "conflict"),
        degenerate=lambda: PCGrad(objective=Holdout(0.0)),
    ),
    rule_case(
        "mgda", MGDA, nearest_to_origin, degenerate=lambda: MGDA(objective=Holdout(0.0)), baseline="still"
    ),
    rule_case("cagrad", lambda: CAGrad(c=0.5), lambda u, g: conflict_averse(u, g, 0.5)),
    rule_case(
        "normalised-difference", lambda: NormalisedDifference(alpha=0.3), lambda u, g: units(u, g, 0.3)
    ),
    rule_case("torchjd", lambda: TorchJDStrategy(AlignedMTL()), aggregated(AlignedMTL())),
    rule_case(
        "torchjd-entrywise",
        lambda: TorchJDStrategy(ConFIG()),
        aggregated(ConFIG()),
        degenerate=lambda: TorchJDStrategy(Sum()),
        baseline=plain_sum,
        entrywise=True,
    ),
    Case(
        "pgu",
        lambda: recorded(PGU),
        lambda h: h.u * without_biases(h.original),
        term=confusion,
        allowed=free_part,
        still=("bias",),
        reports=("removed_fraction",),
        degenerate=lambda: recorded(PGU, objective=Holdout(0.0)),
        baseline="still",
        retain_free=True,
    ),
    Case(
        "pgu-gradient",
        lambda: recorded(PGU, project="gradient", spectrum="energy", objective=Ascent()),
        lambda h: free_part(h.original, h.u, energy=True),
        allowed=lambda net, update: update * without_biases(net),
        still=("bias",),
        reports=("removed_fraction",),
        retain_free=True,
    ),
    Case(
        "ascent-weighted",
        lambda: GradientAscent(objective=WeightedAscent()),
        lambda h: h.u,
        term=sfron_hand.weighted(0.5),
        retain_free=True,
    ),
    alternating_case("sfron", SFRon),
    alternating_case("sfron-sampled", SFRon, fisher_samples=7),
    alternating_case("sfron-clipped", SFRon, schedule="constant", clip=0.2, exponent=1.0, gamma=0.5),
]


def rows(*cases: Case) -> list[object]:
    """Parameters of a test: these cases by their ids."""
    return [pytest.param(case, id=case.id) for case in cases]


every_case = pytest.mark.parametrize("case", rows(*CASES))
cases_with_both_sides = pytest.mark.parametrize(
    "case", rows(*(c for c in CASES if c.uses_forget and not c.retain_free))
)
cases_with_degenerate_form = pytest.mark.parametrize("case", rows(*(c for c in CASES if c.degenerate)))


def named(name: str) -> Case:
    """The row of that id."""
    return next(case for case in CASES if case.id == name)
