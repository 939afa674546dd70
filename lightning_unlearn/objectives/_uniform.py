from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from lightning_unlearn.objectives._base import Context, Objective
from lightning_unlearn.predictions import Predict, predicted


class Uniform(Objective):
    """Makes the predictions on the forget set uniform over the classes.

    `F(θ) = mean KL(U ‖ p_θ(·|x)) = mean over x of −(1/C) Σ_c log p_c − log C`, at least 0, and 0 where every class
    is equally likely. Needs logits: `forward`, or `predict`. No labels are used.

    Args:
        predict: a function of (module, batch) that returns logits `(N, C, ...)` and labels; by default
            a batch is (inputs, labels) and the logits are `module(inputs)`.

    Example:
        >>> import torch
        >>> from lightning_unlearn import Uniform
        >>> from lightning_unlearn.objectives import Context
        >>> batch = (torch.zeros(2, 4), torch.tensor([0, 3]))
        >>> Uniform().loss(torch.nn.Identity(), batch, Context(lambda batch: None)).item()
        0.0
    """

    def __init__(self, predict: Predict | None = None) -> None:
        self.predict = predict

    @override
    def loss(self, module: nn.Module, batch: Any, context: Context) -> Tensor | None:
        logits, _ = predicted(self.predict, module, batch)
        logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
        return -logits.log_softmax(dim=1).mean() - math.log(logits.shape[1])
