from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from lightning_unlearn.metrics._base import UnlearningMetric


class MeanOverSamples(UnlearningMetric):
    """The mean of one number for each sample: only its sum and the count are kept.

    Args:
        **kwargs: passed to `torchmetrics.Metric`.
    """

    total: Tensor
    count: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def _add(self, values: Tensor) -> None:
        """Add the numbers of a batch, shape (N,)."""
        self.total = self.total + values.sum()
        self.count = self.count + len(values)

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor."""
        if self.count == 0:
            raise ValueError(
                f"`{type(self).__name__}` must have seen samples before its value is computed, found none. "
                "Call `update` first."
            )
        return (self.total / self.count).float()
