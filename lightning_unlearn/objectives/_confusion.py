from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from lightning_unlearn import _checks
from lightning_unlearn.objectives._base import Context, Objective
from lightning_unlearn.predictions import Predict, log_probability_of_label, predicted


class Confusion(Objective):
    """Pushes the probability of the true label down, and spreads what is predicted instead over all classes.

    `F(θ) = mean −log(1 − (p_y − offset)) + entropy_weight · mean Σ_c p_c log p_c`. The first term lies between
    `−log(1 + offset)` and `−log(offset)`, the second, the negative entropy, between `−entropy_weight · log C` and 0: the
    objective is bounded on both sides. Beside :class:`Bounded` it says where the probability should go: nowhere in
    particular, not to the one class that is nearest. Needs logits and labels.

    Args:
        offset: finite, positive; bounds the loss of a memorised sample.
        entropy_weight: weight of the negative entropy, finite, at least 0.
        predict: a function of (module, batch) that returns logits `(N, C, ...)` and labels `(N, ...)`; by default
            a batch is (inputs, labels) and the logits are `module(inputs)`.

    References:
        Hoang et al., "Learn to Unlearn for Deep Neural Networks: Minimizing Unlearning Interference with Gradient
        Projection", WACV 2024, arXiv:2312.04095: the loss of the authors' code, with its defaults. They keep the logarithm
        finite by adding 1e-15 to p; here it is that of a softmax.

    Example:
        >>> import torch
        >>> from lightning_unlearn import Confusion
        >>> from lightning_unlearn.objectives import Context
        >>> batch = (torch.zeros(1, 2), torch.tensor([0]))  # p = 1/2: −log 0.55 − 0.2 log 2
        >>> Confusion().loss(torch.nn.Identity(), batch, Context(lambda batch: None))
        tensor(0.4592)
    """

    def __init__(
        self, offset: float = 0.05, entropy_weight: float = 0.2, predict: Predict | None = None
    ) -> None:
        self.offset = _checks.positive("offset", offset)
        self.entropy_weight = _checks.non_negative("entropy_weight", entropy_weight)
        self.predict = predict

    @override
    def loss(self, module: nn.Module, batch: Any, context: Context) -> Tensor | None:
        logits, labels = predicted(self.predict, module, batch)
        log_p = log_probability_of_label(logits, labels)
        logs = logits.to(log_p.dtype).log_softmax(dim=1)
        negative_entropy = (logs.exp() * logs).sum(dim=1).mean()
        return -(self.offset - log_p.expm1()).log().mean() + self.entropy_weight * negative_entropy
