"""What a generative model says of each sample of a side, accumulated over batches and processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from typing_extensions import override

from lightning_unlearn.metrics._base import SampleMetric
from lightning_unlearn.metrics.functional._checks import finite_samples
from lightning_unlearn.metrics.functional._side_values import mean_interval, side_mean

PerSample: TypeAlias = Callable[..., Tensor]


class _SideValues(SampleMetric):
    values: list[Tensor]

    def __init__(self, per_sample: PerSample | None = None, **kwargs: Any) -> None:
        super().__init__("values", **kwargs)
        self._given = (per_sample,)  # in a tuple: a module is not registered

    @override
    def update(self, *batch: Any) -> None:
        """Add the samples of a batch: what `per_sample` takes; without it their values, shape (N,)."""
        per_sample = self._given[0]
        with torch.no_grad():
            values = batch[0] if per_sample is None else per_sample(*batch)
        self._keep(values=finite_samples("values", values, least=0).to(self.device))

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor."""
        return side_mean(self._kept("values"))

    def interval(self, level: float = 0.95) -> tuple[Tensor, Tensor]:
        """Student's interval of the mean, over all processes; must be called by all of them."""
        with self.sync_context(should_sync=self._to_sync, should_unsync=True):
            return mean_interval(self._kept("values"), level=level)


class SideReconstructionError(_SideValues):
    """Mean error with which a model reconstructs the samples of one side; one instance for each side.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.side_mean`. What the error is, only you know: squared error or
    binary cross-entropy, summed over pixels or averaged.

    Args:
        per_sample: function of a batch, as `update` is given it, that returns the error of each sample, shape (N,); it is called
            without gradients, and puts the model into the mode that it should be in. `None` if `update` is given the errors.
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: from `update`, the values are not one finite number for each sample; from `compute`, there are none; from
            `interval`, there are fewer than 2.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import SideReconstructionError
        >>> decoder = torch.nn.Identity()
        >>> metric = SideReconstructionError(lambda images: (decoder(images) - 1).square().flatten(1).sum(1))
        >>> metric.update(torch.tensor([[0.0, 1.0], [1.0, 4.0]]))
        >>> metric.compute()
        tensor(5.)
    """

    measures = "How badly a model reconstructs the samples of a side, on average."
    target = "reference"
    citation = "Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014"
    higher_is_better = None


class SideELBO(_SideValues):
    """Mean evidence lower bound of one side's samples; one instance for each side.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.side_mean`. Arguments and errors are those of
    :class:`SideReconstructionError`. An ELBO is a likelihood: large is likely. Of a loss, pass what is minus it.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import SideELBO
        >>> metric = SideELBO()
        >>> metric.update(torch.tensor([-100.0, -104.0]))
        >>> metric.compute(), metric.interval()
        (tensor(-102.), (tensor(-127.4124), tensor(-76.5876)))
    """

    measures = "How likely a model makes the samples of a side, on average, by its lower bound."
    target = "reference"
    citation = "Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014"
    higher_is_better = None
