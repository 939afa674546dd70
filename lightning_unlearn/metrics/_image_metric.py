"""What metrics of a generator's images share."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import torch
from torch import Tensor, nn
from typing_extensions import override

from lightning_unlearn.metrics._base import SampleMetric, UnlearningMetric
from lightning_unlearn.metrics._extractor import Extractor
from lightning_unlearn.metrics.functional._checks import finite_samples, flags


class ImageMetric(UnlearningMetric):
    """A metric of what a named network makes of images.

    Attributes:
        label: what the value is called in a report; it has the network's name, but for the standard Inception.
    """

    label: str

    def _tell_apart(self, what: str) -> None:
        """A state that differs from that of metrics of other networks.

        A `MetricCollection` makes one of metrics whose states are equal after the first batch, as counts may be.
        """
        self.add_state("told_apart", torch.tensor(crc32(what.encode())), dist_reduce_fx="max")

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.label!r})"


def generated_and_real(
    extractor: Extractor, images: Tensor, generated: Tensor | bool
) -> tuple[Tensor, Tensor] | None:
    """Features of the images, finite, in their own type, and which are of generated ones; nothing for no images."""
    features = extractor(images)
    if isinstance(generated, bool):
        generated = torch.full((len(images),), generated)
    of_generated = flags("generated", generated, len(images))
    if len(images) == 0:
        return None
    finite_samples("features", features, ndim=2)
    return features, of_generated.to(features.device)


class FeatureMetric(ImageMetric, SampleMetric):
    """A metric that keeps the features of all images, generated and real.

    Args:
        feature_extractor: maps images to features (N, D).
        name: of the extractor.
        **kwargs: passed to `torchmetrics.Metric`.
    """

    features: list[Tensor]
    generated: list[Tensor]

    def __init__(self, feature_extractor: nn.Module, name: str | None, **kwargs: Any) -> None:
        super().__init__("features", "generated", **kwargs)
        self.extractor = Extractor(feature_extractor, name)
        self._tell_apart(self.extractor.name)

    @override
    def update(self, images: Tensor, generated: Tensor | bool) -> None:
        """Add images.

        Args:
            images: a batch that the feature extractor takes, finite.
            generated: true for generated, false for real images: bool tensor of shape (N,), or one for all.
        """
        kept = generated_and_real(self.extractor, images, generated)
        if kept is not None:
            self._keep(features=kept[0].to(self.device), generated=kept[1].to(self.device))

    def _both(self) -> tuple[Tensor, Tensor]:
        """Features of the generated and of the real images."""
        features, generated = self._kept("features"), self._kept("generated")
        return features[generated], features[~generated]
