from __future__ import annotations

from abc import abstractmethod
from typing import Literal, cast, final

import lightning.pytorch as pl
import torch
from torch import Tensor
from typing_extensions import override

from lightning_unlearn import _checks as arguments
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.objectives import Guidance, Objective
from lightning_unlearn.passes import Side
from lightning_unlearn.strategies import _checks
from lightning_unlearn.strategies._base import UnlearningStrategy
from lightning_unlearn.strategies._by_tensor import combined_by_tensor
from lightning_unlearn.strategies._diagnostics import angles, count_conflict


class GradientStrategy(UnlearningStrategy):
    """A strategy that is a pure function of two gradients at the current weights: two in, one out.

    It reports, at the steps that loggers write, `unlearn/grad_cosine` (of the forget objective's gradient u and the retain gradient,
    in [-1, 1]), `unlearn/conflict_rate` (share of the run's evaluations so far with a negative inner product) and
    `unlearn/removed_fraction` (see :meth:`removed_fraction`).

    Args:
        granularity: `"model"` combines the two gradients as two vectors, for which the second is kept in full: one
            extra copy. `"tensor"` combines each parameter's two gradients by themselves, as the second arrives, so
            that it never exists in full; the inner products are then those of single tensors, which is another update,
            `unlearn/removed_fraction` is not reported, and a step with numbers that are not finite is left out
            altogether. With one process and without accumulation only.
        objective: see :class:`UnlearningStrategy`, and so for those that follow.
        guidance: a classifier's term on both sides; `None` for none.
        hold: where the batches of a window wait.
        seed: of the forget side's passes.
        batch_norm: mode of batch normalisation in the forget side's passes.
        state_dir: where large state is written.

    Example:
        >>> from lightning_unlearn import GradientStrategy
        >>> class Sum(GradientStrategy):
        ...     "The plain sum."
        ...     def combine(self, forget, retain):
        ...         return forget.add_(retain)
    """

    def __init__(
        self,
        *,
        granularity: Literal["model", "tensor"] = "model",
        objective: Objective | None = None,
        guidance: Guidance | None = None,
        hold: Literal["device", "cpu"] = "device",
        seed: int = 0,
        batch_norm: Literal["train", "eval"] = "train",
        state_dir: str | None = None,
    ) -> None:
        super().__init__(
            objective=objective,
            guidance=guidance,
            hold=hold,
            seed=seed,
            batch_norm=batch_norm,
            state_dir=state_dir,
        )
        chosen = arguments.one_of("granularity", granularity, ("model", "tensor"))
        self.granularity = cast(Literal["model", "tensor"], chosen)

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit" and self.granularity == "tensor":
            _checks.raise_together(_checks.of_tensor_granularity(trainer, pl_module), trainer)
        super().setup(trainer, pl_module, stage)

    @abstractmethod
    def combine(self, forget: Gradient, retain: Gradient) -> Gradient:
        """The direction, from the gradient u of the forget objective and the retain gradient.

        `forget` may be overwritten (its memory is the one extra copy), `retain` must not be.
        """

    def removed_fraction(self, cosine: Tensor) -> Tensor:
        """Share of the squared norm of the projected gradient that the projection takes away, in [0, 1]."""
        return torch.zeros_like(cosine)

    @final
    @override
    def direction(self, forget: Side, retain: Side | None) -> Gradient:
        assert retain is not None
        if self.granularity == "tensor":
            direction, cosine = combined_by_tensor(forget, retain, self.combine)
            count_conflict(self.state, cosine < 0)
            self.diagnostics = angles(self.state, cosine)
            return direction
        u, g = forget.gradient(), retain.gradient()
        # all at once: one all-reduce where gradients are sharded
        inner, *_ = Gradient.dots((u, g), (u, u), (g, g))
        count_conflict(self.state, inner < 0)
        if self.reports:
            cosine = u.cosine(g)
            self.diagnostics = angles(self.state, cosine) | {
                "removed_fraction": self.removed_fraction(cosine)
            }
        return self.combine(u, g)
