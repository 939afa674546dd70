from __future__ import annotations

import math
from typing import Literal, cast

import torch
from torch import Tensor, nn
from typing_extensions import override

from lightning_unlearn import _checks
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.importance import diagonal_fisher
from lightning_unlearn.objectives import Guidance, WeightedAscent
from lightning_unlearn.objectives._weighted_ascent import Losses
from lightning_unlearn.passes import Side, Source
from lightning_unlearn.predictions import Predict
from lightning_unlearn.strategies._base import UnlearningStrategy

_SCHEDULES = ("cosine", "linear", "quadratic", "constant")


class SFRon(UnlearningStrategy):
    """A fast step up the forget loss on the weights that matter to it, then several retain steps, and again (SFR-on).

    A cycle is `1 + retain_steps` optimiser steps. With `F = −Σ wᵢ ℓᵢ` of :class:`WeightedAscent` and `g_r = ∇L_r`,

    - first step: `direction = α_t ∇F ⊙ m`, its norm clipped to `clip`. `m = 1` where `F_f > 0` and `F_f ≥ γ F_r`, the
      diagonal Fisher informations of both sides at the original weights. Weights with `m = 0` do not move in
      this step, whatever momentum and weight decay say. If the forget side is not finite, it is a retain step.
    - the others: `direction = g_r`, on all weights; the forget side costs no pass.
    - after the last: `θ ← θ_start + slow_rate · (θ − θ_start)`, where `θ_start` are the weights before the cycle. A cycle that
      the end of the run cuts short is left as it is.

    `α_t` goes from `α` to 0 over the run, `t` being the share of its steps that are taken: `α (1 + cos πt) / 2`, `α (1 − t)`,
    `α (1 − t)²`, or always `α`.

    It reports, at the steps that loggers write, `unlearn/alpha` (`α_t`), `unlearn/mask_share` (share of weights with `m = 1`) and
    `unlearn/clip_rate` (share of the forget steps so far that were clipped). At a rate of 1, `α` no longer matters.

    Momentum carries the forget gradient into the retain steps that follow, where weights with `m = 1` go on moving along it.
    The authors' code does the same. `Σ wᵢ = 1` over the whole window: with a larger window, `α` is no less per sample.

    For a quadratic retain loss with Hessian `H`, and plain SGD with rate `β` from its minimum, a cycle of K retain steps comes to
    `−β (I − βH)^K ∇F`: a low-pass filter in the retain curvature. The paper reads it as an inverse Hessian.

    Differs from the paper: the schedule is a cosine, coefficients are normalised over the window instead of the
    forget set, and `slow_rate=1` makes no slow step, all as in the authors' code. Differs from their code: Fishers of single
    samples (`fisher="batch"` for theirs), `F_f ≥ γ F_r` without 1e-15 on both sides (which selects every weight of a model that
    knows its data well), losses clamped from below, and weights with `m = 0` that really stay. They take the forget step
    before a retain step on the same batch; here each is a step of the Trainer, and `α_t` counts both kinds.

    Args:
        alpha: `α`, finite, at least 0.
        retain_steps: at least 1; the authors' code takes 5 in their largest run, else 1.
        schedule: of `α_t`: `"cosine"`, `"linear"`, `"quadratic"` or `"constant"`. All but the last need a run whose number
            of steps is known.
        gamma: threshold `γ` of the mask, finite, at least 0; 0 leaves out only weights without any forget gradient.
        exponent: `λ` of the coefficients, see :class:`WeightedAscent`.
        smallest_loss: smaller losses count as this one, see :class:`WeightedAscent`.
        clip: largest norm of the forget step's direction, finite, positive; `None` for no bound.
        slow_rate: above 0, at most 1; 1 keeps the whole move, and no copy of the weights.
        fisher: `"sample"`, or `"batch"` for squared gradients of batches, of one size on both sides.
        fisher_samples: at most so many of each side, a fixed random choice, are what the Fisher informations are estimated from;
            `None` for all: as many forward and backward passes of single samples as there are.
        cache_dir: where Fisher informations are kept for the next run on the same data and weights; `None` for nowhere.
        predict: see :class:`WeightedAscent`.
        losses: see :class:`WeightedAscent`.
        guidance: see :class:`Guidance`; `None` for none. It joins both kinds of step.
        hold: see :class:`UnlearningStrategy`.
        seed: see :class:`UnlearningStrategy`.
        batch_norm: see :class:`UnlearningStrategy`.
        state_dir: see :class:`UnlearningStrategy`.

    References:
        Huang et al., "Unified Gradient-Based Machine Unlearning with Remain Geometry Enhancement", NeurIPS 2024,
        arXiv:2409.19732, and the authors' code (K1nght/Unified-Unlearning-w-Remain-Geometry).

    Example:
        >>> from lightning_unlearn import SFRon
        >>> strategy = SFRon(alpha=2.0, schedule="linear")
        >>> strategy.progress.total_steps, strategy.progress.step = 12, 6
        >>> strategy.current_alpha
        1.0
    """

    def __init__(
        self,
        alpha: float = 25.0,
        retain_steps: int = 5,
        schedule: Literal["cosine", "linear", "quadratic", "constant"] = "cosine",
        *,
        gamma: float = 1.0,
        exponent: float = 0.5,
        smallest_loss: float = 1e-6,
        clip: float | None = 7.0,
        slow_rate: float = 1.0,
        fisher: Literal["sample", "batch"] = "sample",
        fisher_samples: int | None = None,
        cache_dir: str | None = None,
        predict: Predict | None = None,
        losses: Losses | None = None,
        guidance: Guidance | None = None,
        hold: Literal["device", "cpu"] = "device",
        seed: int = 0,
        batch_norm: Literal["train", "eval"] = "train",
        state_dir: str | None = None,
    ) -> None:
        objective = WeightedAscent(exponent, smallest_loss, predict, losses)
        super().__init__(
            objective=objective,
            guidance=guidance,
            hold=hold,
            seed=seed,
            batch_norm=batch_norm,
            state_dir=state_dir,
        )
        self.alpha = _checks.non_negative("alpha", alpha)
        self.retain_steps = _checks.positive_int("retain_steps", retain_steps)
        self.schedule = _checks.one_of("schedule", schedule, _SCHEDULES)
        self.gamma = _checks.non_negative("gamma", gamma)
        self.exponent, self.smallest_loss = objective.exponent, objective.smallest_loss
        self.clip = None if clip is None else _checks.positive("clip", clip)
        self.slow_rate = _checks.fraction("slow_rate", slow_rate)
        if not self.slow_rate:
            raise ConfigurationError(
                f"`slow_rate` must be above 0, found {slow_rate!r}: nothing would ever move."
            )
        kind = _checks.one_of("fisher", fisher, ("sample", "batch"))
        self.fisher = cast(Literal["sample", "batch"], kind)
        self.fisher_samples = fisher_samples
        if fisher_samples is not None:
            _checks.positive_int("fisher_samples", fisher_samples)
        self.cache_dir = cache_dir
        self._per_sample = objective.of_samples
        self._was_finite: Tensor | None = None  # between a direction and the move that comes of it

    @property
    def current_alpha(self) -> float:
        """`α_t` at the current step."""
        steps = self.progress.total_steps
        if self.schedule == "constant":
            return self.alpha
        if steps is None:
            raise ConfigurationError(
                f'`schedule` must be "constant" when nobody knows how many steps a run has, found "{self.schedule}". Give the '
                'Trainer `max_steps`, or pass `schedule="constant"`.'
            )
        left = max(0.0, 1.0 - self.progress.step / max(1, steps))
        if self.schedule == "cosine":
            return self.alpha * (1.0 - math.cos(math.pi * left)) / 2.0
        return self.alpha * (left if self.schedule == "linear" else left**2)

    @override
    def prepare(self, module: nn.Module, forget: Source, retain: Source | None) -> None:
        assert retain is not None
        _ = self.current_alpha  # refused now, if there will be none
        fishers = [
            diagonal_fisher(module, side, self._per_sample, kind=self.fisher, cache_dir=self.cache_dir)
            for side in (forget.some(self.fisher_samples), retain.some(self.fisher_samples))
        ]
        if len({fisher.batch_size for fisher in fishers}) > 1:
            raise ConfigurationError(
                '`fisher="batch"` must have batches of one size on both sides, found '
                f"{fishers[0].batch_size} (forget) and {fishers[1].batch_size} (retain). Give both loaders the same "
                '`batch_size`, or use `fisher="sample"`.'
            )
        of_forget, of_retain = (fisher.values for fisher in fishers)
        chosen = Gradient({n: (f > 0) & (f >= self.gamma * of_retain[n]) for n, f in of_forget.items()})
        counts = chosen.map(lambda _, mask: mask.float())
        everything = sum(mask.numel() for mask in of_forget.values())
        share = counts.dot(counts) / everything
        self.state |= {"mask": chosen, "mask_share": share, "clipped": torch.zeros_like(share)}
        # the place in the cycle is counted by steps that were taken: a module may step at every second batch
        self.state |= {"forget_steps": 0, "place": self.retain_steps, "step": -1}
        if not share > 0:
            raise ConfigurationError(
                f"`gamma` must leave a weight that the forget step may move, found none with F_f ≥ {self.gamma} F_r. Lower "
                "`gamma`; where the forget loss has no gradient at all, the model knows these samples perfectly, and ascent "
                "cannot begin."
            )
        if self.slow_rate < 1:
            self.state["cycle_start"] = self.weights.clone()

    @override
    def direction(self, forget: Side, retain: Side | None) -> Gradient:
        assert retain is not None
        if self.progress.step != self.state["step"]:  # a closure may ask several times in a step
            self.state["step"] = self.progress.step
            self.state["place"] = (self.state["place"] + 1) % (1 + self.retain_steps)
        direction = self._fast(forget) if self.state["place"] == 0 else retain.gradient()
        if self.reports:
            clipped, steps = self.state["clipped"], self.state["forget_steps"]
            alpha = torch.full_like(clipped, self.current_alpha)
            share = self.state["mask_share"]
            self.diagnostics = {"alpha": alpha, "mask_share": share, "clip_rate": clipped / steps}
        return direction

    def _fast(self, forget: Side) -> Gradient:
        fast = forget.gradient().keep(self.state["mask"]).mul_(self.current_alpha)
        norm = fast.norm()
        self._was_finite = norm.isfinite()
        self.state["forget_steps"] += 1
        if self.clip is not None:
            self.state["clipped"] = self.state["clipped"] + (norm > self.clip)
            fast.mul_(self.clip / norm.clamp_min(self.clip))
        return fast

    @override
    def constrain(self, update: Gradient) -> Gradient:
        allowed = update
        if self.state["place"] == 0 and self._was_finite is not None:
            allowed = update.keep(self.state["mask"]).where(self._was_finite, update)
        return allowed if self.slow_rate == 1 else self._slowed(allowed, update)

    def _slowed(self, allowed: Gradient, made: Gradient) -> Gradient:
        # what has come into play in mid-run has not moved before this step
        found = dict((self.weights - made).items()) | dict(self.state["cycle_start"].items())
        start = self.state["cycle_start"] = Gradient({name: found[name] for name in made.names})
        if self.state["place"] == self.retain_steps:
            way = self.weights - start
            allowed = allowed.clone().add_(way, self.slow_rate - 1.0)
            # several optimisers may step at the end of a cycle: the next one is slowed for its own move alone
            start.add_(way, self.slow_rate)
        return allowed
