from __future__ import annotations

from typing import Any, ClassVar, Literal

from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class UnlearningMetric(Metric):
    """A torchmetrics metric that says what a good value is.

    A metric of forgetting is easily misread: for most of them neither high nor low is good, but the value that a model
    has which was never trained on the forget set.

    Attributes:
        measures: what it measures, in one line.
        target: the value of a model that has forgotten: a number, or `"reference"` where only a retrained model can say.
        citation: where it comes from.
        higher_is_better: `None` unless the target is the largest (`True`) or the smallest (`False`) value.
        plot_lower_bound: smallest value; `None` where there is none.
        plot_upper_bound: largest value; `None` where there is none.
    """

    measures: ClassVar[str]
    target: ClassVar[float | Literal["reference"]]
    citation: ClassVar[str]
    is_differentiable = False
    full_state_update = False


class SampleMetric(UnlearningMetric):
    """An unlearning metric that keeps tensors of each sample, and computes its value from all of them.

    Args:
        names: of the tensors; one row a sample each.
        **kwargs: passed to `torchmetrics.Metric`.
    """

    def __init__(self, *names: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in names:
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def _keep(self, **samples: Tensor) -> None:
        """Add the samples of a batch."""
        for name, tensor in samples.items():
            getattr(self, name).append(tensor.detach())

    def _kept(self, name: str) -> Tensor:
        """The tensor of all samples so far, of this process or, while the value is computed, of all."""
        parts = getattr(self, name)
        if isinstance(parts, list) and not parts:
            raise ValueError(
                f"`{type(self).__name__}` must have seen samples before its value is computed, found none. "
                "Call `update` first."
            )
        return dim_zero_cat(parts)
