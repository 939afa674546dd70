from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from lightning_unlearn.metrics._extractor import Extractor
from lightning_unlearn.metrics._image_metric import ImageMetric
from lightning_unlearn.metrics.functional._checks import whole_number
from lightning_unlearn.metrics.functional._proportions import is_of_class, prior_test, proportion_interval


class ClassFraction(ImageMetric):
    """Share of generated images that an external classifier takes for the forgotten class.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.class_fraction`, which says what is computed and what the
    classifier must not be. Only counts are kept.

    Args:
        classifier: maps images to logits (N, C). It is run in evaluation mode and left as it was; it is neither moved nor saved
            with the metric.
        forget_class: index of the forgotten class.
        name: of the classifier; it is part of `label` and `repr`.
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: the classifier is no module, or has no name; from `update`, images or logits do not fit or are not
            finite, or there is no such class; from `compute`, there are no images.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import ClassFraction
        >>> metric = ClassFraction(torch.nn.Flatten(), forget_class=1, name="pixels")
        >>> metric.update(torch.eye(4).view(4, 4, 1, 1))
        >>> metric.compute()
        tensor(0.2500)
        >>> metric.interval()
        (tensor(0.0063), tensor(0.8059))
    """

    measures = "How many generated images an external classifier takes for the forgotten class."
    target = "reference"
    citation = "Fan et al., SalUn, ICLR 2024"
    higher_is_better = None
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    hits: Tensor
    count: Tensor

    def __init__(self, classifier: nn.Module, forget_class: int, name: str, **kwargs: Any) -> None:
        whole_number("forget_class", forget_class, least=0)
        super().__init__(**kwargs)
        self.extractor = Extractor(classifier, name, "classifier")
        self.label = self.extractor.label(f"fraction of class {forget_class}")
        self.forget_class = forget_class
        self._tell_apart(self.label)
        for state in ("hits", "count"):
            self.add_state(state, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @override
    def update(self, images: Tensor) -> None:
        """Add generated images, a batch that the classifier takes."""
        logits = self.extractor(images)
        if len(images):
            self.hits = self.hits + is_of_class(logits, self.forget_class).sum().to(self.device)
            self.count = self.count + len(images)

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor in [0, 1]."""
        if self.count == 0:
            raise ValueError(
                "`ClassFraction` must have seen images before its value is computed, found none. Call `update` first."
            )
        return (self.hits.double() / self.count).float()

    def counts(self) -> tuple[int, int]:
        """Images of the class and all images, of all processes; must be called by all of them."""
        with self.sync_context(should_sync=self._to_sync, should_unsync=True):
            return int(self.hits), int(self.count)

    def interval(self, level: float = 0.95) -> tuple[Tensor, Tensor]:
        """Clopper–Pearson interval; see :func:`~lightning_unlearn.metrics.functional.proportion_interval`."""
        return proportion_interval(*self.counts(), level=level)

    def prior_test(self, prior: float) -> tuple[Tensor, Tensor]:
        """Ratio to the class's share in the data and p-value; see :func:`~lightning_unlearn.metrics.functional.prior_test`."""
        return prior_test(*self.counts(), prior)
