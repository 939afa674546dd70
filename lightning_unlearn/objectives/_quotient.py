from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Quotient(NamedTuple):
    """A loss that is a quotient of two means: `mean(numerator) / mean(divisor)`, for coefficients that are normalised.

    Both means are taken over the accumulation window and over all processes before one is divided by the other, from
    a single pass: `Σ kᵢ ℓᵢ / Σ kⱼ` does not depend on how the window is cut. The divisor counts as a constant.

    Attributes:
        numerator: 0-d, with a graph.
        divisor: 0-d, without.

    Example:
        >>> import torch
        >>> from lightning_unlearn.objectives import Quotient
        >>> losses, k = torch.tensor([1.0, 3.0], requires_grad=True), torch.tensor([2.0, 1.0])
        >>> Quotient((k * losses).sum(), k.sum()).divisor
        tensor(3.)
    """

    numerator: Tensor
    divisor: Tensor
