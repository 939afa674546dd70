from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from lightning_unlearn import _checks
from lightning_unlearn.objectives._base import Context, Objective
from lightning_unlearn.predictions import Predict, log_probability_of_label, predicted


class Bounded(Objective):
    """Pushes the probability of the true label down, and loses interest once it is gone.

    `F(θ) = mean −log(1 − p_y + offset)`, between `−log(1 + offset)` and `−log(offset)`: unlike :class:`Ascent` it
    is bounded, and its gradient vanishes as `p_y → 0`, so that the step does not tear the model apart.

    Args:
        offset: finite, positive; bounds the loss of a memorised sample. The smaller, the harder samples with
            `p_y` close to 1 are pushed.
        predict: a function of (module, batch) that returns logits `(N, C, ...)` and labels `(N, ...)`; by default
            a batch is (inputs, labels) and the logits are `module(inputs)`.

    Example:
        >>> import torch
        >>> from lightning_unlearn import Bounded
        >>> from lightning_unlearn.objectives import Context
        >>> batch = (torch.zeros(1, 2), torch.tensor([0]))
        >>> Bounded(offset=1e-9).loss(torch.nn.Identity(), batch, Context(lambda batch: None))
        tensor(0.6931)
    """

    def __init__(self, offset: float = 1e-6, predict: Predict | None = None) -> None:
        self.offset = _checks.positive("offset", offset)
        self.predict = predict

    @override
    def loss(self, module: nn.Module, batch: Any, context: Context) -> Tensor | None:
        log_p = log_probability_of_label(*predicted(self.predict, module, batch))
        return -(-log_p.expm1() + self.offset).log().mean()
