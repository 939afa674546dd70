from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from typing_extensions import override

from lightning_unlearn import _checks
from lightning_unlearn._tensors import whole
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.objectives._base import Context, Objective
from lightning_unlearn.objectives._quotient import Quotient
from lightning_unlearn.predictions import Predict, log_probability_of_label, predicted

Losses: TypeAlias = Callable[[nn.Module, Any], Tensor]
_UNIT = (
    128.0  # cancels in the quotient: sums as large as means, which a loss scaler of 16-bit runs is made for
)


class WeightedAscent(Objective):
    """Gradient ascent in which well-known samples count for more: coefficients that adapt to each sample's loss.

    `F(θ) = −Σ wᵢ ℓᵢ(θ)` with `wᵢ = kᵢ / Σ kⱼ` and `kᵢ = 1 / max(ℓᵢ, smallest_loss)^exponent`, taken as constants. The
    sums run over all samples of the accumulation window and of all processes, however many there are in a batch.

    Differs from the authors' code of SFR-on, where `kᵢ = 1 / (ℓᵢ^exponent + 1e-15)`: there a sample with a loss of 0
    takes all the weight of its batch.

    Args:
        exponent: `λ`, finite, at least 0; 0 weighs all samples alike.
        smallest_loss: finite, positive; smaller losses count as this one, in nats for a cross-entropy.
        predict: a function of (module, batch) that returns logits `(N, C, ...)` and labels `(N, ...)`, of which the
            cross-entropy is taken, a mean for each sample; by default a batch is (inputs, labels) and the logits are
            `module(inputs)`.
        losses: instead of `predict`, a function of (module, batch) that returns the loss of each sample, shape `(N,)`.

    References:
        Huang et al., "Unified Gradient-Based Machine Unlearning with Remain Geometry Enhancement", NeurIPS 2024,
        arXiv:2409.19732: the adaptive coefficients.

    Example:
        >>> import torch
        >>> from lightning_unlearn import WeightedAscent
        >>> from lightning_unlearn.objectives import Context
        >>> objective = WeightedAscent(losses=lambda module, batch: batch)
        >>> value = objective.loss(torch.nn.Identity(), torch.tensor([0.25, 4.0]), Context(lambda batch: None))
        >>> value.numerator / value.divisor  # weights 0.8 and 0.2
        tensor(-1.)
    """

    def __init__(
        self,
        exponent: float = 0.5,
        smallest_loss: float = 1e-6,
        predict: Predict | None = None,
        losses: Losses | None = None,
    ) -> None:
        self.exponent = _checks.non_negative("exponent", exponent)
        self.smallest_loss = _checks.positive("smallest_loss", smallest_loss)
        if predict is not None and losses is not None:
            raise ConfigurationError(
                "`losses` must stand alone, found `predict` beside it. Pass one of the two: `losses` needs no predictions."
            )
        self.predict = predict
        self.losses = losses

    @override
    def loss(self, module: nn.Module, batch: Any, context: Context) -> Quotient:
        losses = self.of_samples(module, batch)
        k = losses.detach().clamp_min(self.smallest_loss) ** -self.exponent
        return Quotient(-(k * losses).sum() / _UNIT, k.sum() / _UNIT)

    def of_samples(self, module: nn.Module, batch: Any) -> Tensor:
        """The loss of each sample of a batch, shape `(N,)`, in at least float32."""
        if self.losses is None:
            losses = -log_probability_of_label(*predicted(self.predict, module, batch))
            return losses if losses.ndim == 1 else losses.flatten(1).mean(1)
        given: Any = self.losses(module, batch)  # by the user's function
        if not isinstance(given, Tensor) or given.ndim != 1:
            found = f"shape {tuple(given.shape)}" if isinstance(given, Tensor) else type(given).__name__
            raise ConfigurationError(
                f"`losses` must return one loss a sample, shape (N,), found {found}. Take the loss with "
                '`reduction="none"`.'
            )
        losses = whole(given)
        return losses.float() if losses.dtype in (torch.float16, torch.bfloat16) else losses
