from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from lightning_unlearn.metrics._image_metric import FeatureMetric
from lightning_unlearn.metrics.functional._kernel_distance import kernel_distance, kernel_validate_args


class KernelDistance(FeatureMetric):
    """Kernel distance of generated from real images, in the features of any network; KID with the standard Inception.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.kernel_distance`, which says what is computed. The features of
    all images are kept.

    Args:
        feature_extractor: as in :class:`~lightning_unlearn.metrics.FrechetDistance`; the label of `InceptionFeatures` is `"KID"`.
        name: of the network; None for `InceptionFeatures`.
        degree: of the polynomial kernel, at least 1.
        gamma: of the kernel, positive; `None` for `1/D`.
        coefficient: of the kernel, not negative.
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: as :class:`~lightning_unlearn.metrics.FrechetDistance`, or a parameter of the kernel is out of range.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import KernelDistance
        >>> metric = KernelDistance(torch.nn.Flatten(), name="pixels")
        >>> images = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
        >>> metric.update(images, generated=True)
        >>> metric.update(images + 1, generated=False)
        >>> metric.compute()
        tensor(9.5000)
    """

    measures = "How far generated images are from real ones, without a bias by the number of images."
    target = 0.0
    citation = "Bińkowski et al., Demystifying MMD GANs, ICLR 2018"
    higher_is_better = None

    def __init__(
        self,
        feature_extractor: nn.Module,
        name: str | None = None,
        *,
        degree: int = 3,
        gamma: float | None = None,
        coefficient: float = 1.0,
        **kwargs: Any,
    ) -> None:
        kernel_validate_args(degree, gamma, coefficient)
        super().__init__(feature_extractor, name, **kwargs)
        self.label = self.extractor.label("kernel distance", standard="KID")
        self.degree = degree
        self.gamma = gamma
        self.coefficient = coefficient

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor; may be below 0 by chance."""
        return kernel_distance(
            *self._both(), degree=self.degree, gamma=self.gamma, coefficient=self.coefficient
        )
