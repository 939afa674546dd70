from __future__ import annotations

from abc import abstractmethod
from typing import Any, final

import lightning.pytorch as pl
import torch
from torch import Tensor
from typing_extensions import override

from lightning_unlearn.gradient import Gradient
from lightning_unlearn.passes import Side
from lightning_unlearn.strategies._base import UnlearningStrategy


class GradientStrategy(UnlearningStrategy):
    """A strategy that is a pure function of two gradients at the current weights: two in, one out.

    It reports, at every step, `unlearn/grad_cosine` (of the forget objective's gradient u and the retain gradient,
    in [-1, 1]), `unlearn/conflict_rate` (share of the run's evaluations so far with a negative inner product) and
    `unlearn/removed_fraction` (see :meth:`removed_fraction`).

    Example:
        >>> from lightning_unlearn import GradientStrategy
        >>> class Sum(GradientStrategy):
        ...     "The plain sum."
        ...     def combine(self, forget, retain):
        ...         return forget.add_(retain)
    """

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
        u, g = forget.gradient(), retain.gradient()
        Gradient.dots((u, g), (u, u), (g, g))  # all at once: one all-reduce where gradients are sharded
        cosine = u.cosine(g)
        seen = torch.stack([(cosine < 0).double(), torch.ones_like(cosine)])
        self._conflicts = seen if self._conflicts is None else self._conflicts.to(seen) + seen
        self.diagnostics = {
            "grad_cosine": cosine,
            "conflict_rate": self._conflicts[0] / self._conflicts[1],
            "removed_fraction": self.removed_fraction(cosine),
        }
        return self.combine(u, g)

    _conflicts: Tensor | None = None  # number of conflicts, and of evaluations

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        self._conflicts = None

    @override
    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | ({} if self._conflicts is None else {"conflicts": self._conflicts})

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._conflicts = state_dict.get("conflicts")
