from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from lightning_unlearn.combination._matrix import as_rows, from_flat
from lightning_unlearn.combination._weighted import products, weighted
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.objectives import Guidance, Objective
from lightning_unlearn.passes._streams import keyed
from lightning_unlearn.strategies._gradient import GradientStrategy


class TorchJDStrategy(GradientStrategy):
    """Combines the two gradients by an aggregator of TorchJD.

    `direction = A(J)`, where `J` has the rows `u` and `g_r`, in this order (for aggregators with a preference vector). An
    aggregator that weighs rows by their Gramian `J Jᵀ` (UPGrad, MGDA, AlignedMTL, ...) is given the 2 × 2 Gramian in float64, and
    the matrix is never built; for others (ConFIG, GradDrop, ...) both gradients are laid out flat, which takes two more
    copies of them, and is refused where gradients are sharded. Random numbers that it draws are keyed by (`seed`, step).

    TorchJD's rules are those of multi-task learning: "retain" is a task like "forget". Many take gradients whose squared norms sum
    to less than 1e-4 (`norm_eps`) for zero, and some solve a program on the CPU, for which they wait for the device.

    Args:
        aggregator: an instance of `torchjd.aggregation.Aggregator` that keeps no state between steps.
        granularity: see :class:`GradientStrategy`.
        objective: the forget side's loss, to be minimised; `None` is `Ascent()`.
        guidance: see :class:`Guidance`; `None` for none.
        hold: see :class:`UnlearningStrategy`.
        seed: see :class:`UnlearningStrategy`.
        batch_norm: see :class:`UnlearningStrategy`.
        state_dir: see :class:`UnlearningStrategy`.

    Raises:
        ConfigurationError: TorchJD is not installed; what is given is no aggregator, or keeps state (GradVac, NashMTL, ExcessMTL),
            which would not be in a checkpoint.

    References:
        Quinton & Rey, "Jacobian Descent For Multi-Objective Optimization", 2024, arXiv:2406.16232; github.com/SimplexLab/TorchJD.

    Example:
        >>> from lightning_unlearn import TorchJDStrategy
        >>> from torchjd.aggregation import AlignedMTL
        >>> TorchJDStrategy(AlignedMTL()).aggregator
        AlignedMTL(pref_vector=None, scale_mode='min')
    """

    def __init__(
        self,
        aggregator: nn.Module,
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
            granularity=granularity,
            objective=objective,
            guidance=guidance,
            hold=hold,
            seed=seed,
            batch_norm=batch_norm,
            state_dir=state_dir,
        )
        try:
            from torchjd import Stateful
            from torchjd.aggregation import Aggregator, GramianWeightedAggregator
        except ImportError as error:
            raise ConfigurationError(
                "`torchjd` must be installed for `TorchJDStrategy`, found that it is not, or is older than 0.18. Install "
                "`lightning-unlearn[torchjd]`."
            ) from error
        if not isinstance(aggregator, Aggregator):
            raise ConfigurationError(
                f"`aggregator` must be an instance of `torchjd.aggregation.Aggregator`, found {aggregator!r}. Pass an object, "
                "such as `UPGrad()`."
            )
        if any(isinstance(part, Stateful) for part in aggregator.modules()):
            raise ConfigurationError(
                f"`aggregator` must be a function of the two gradients alone, found {aggregator!r}, which keeps state that a "
                "checkpoint would not hold. Take one without, such as `UPGrad()`."
            )
        self.aggregator = aggregator
        self._weighting = (
            aggregator.gramian_weighting if isinstance(aggregator, GramianWeightedAggregator) else None
        )

    @override
    def combine(self, forget: Gradient, retain: Gradient) -> Gradient:
        if self._weighting is None:
            rows = as_rows(forget, retain)
            return from_flat(self._asked(self.aggregator, rows), forget, retain)
        uu, ug, gg = products(forget, retain)
        a, b = self._asked(self._weighting, torch.stack([uu, ug, ug, gg]).view(2, 2)).unbind()
        return weighted(forget, retain, a, b, overwrite=True)

    def _asked(self, rule: nn.Module, question: Tensor) -> Tensor:
        finite = question.isfinite().all()
        with keyed(question.device, self.seed, self.progress.step):
            # a solver raises where a scaler would have skipped the step: it is given other numbers, and the answer spoilt
            answer: Tensor = rule(question.masked_fill(~finite, 1.0))
        return answer.masked_fill(~finite, float("nan"))
