from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from lightning_unlearn.metrics._extractor import Extractor
from lightning_unlearn.metrics._image_metric import ImageMetric, generated_and_real
from lightning_unlearn.metrics.functional._frechet_distance import (
    feature_moments,
    frechet_from_moments,
    merged_moments,
    moments_width,
)


class FrechetDistance(ImageMetric):
    """Fréchet distance of generated from real images, in the features of any network; FID with the standard Inception.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.frechet_distance`, which says what is computed. Only count,
    mean and scatter of the features are kept, in float64: neither images nor features.

    Args:
        feature_extractor: maps images to features (N, D): a network of your own, or
            :class:`~lightning_unlearn.metrics.features.InceptionFeatures`. It is run in evaluation mode and left as it was; it is
            neither moved nor saved with the metric.
        name: of the network, such as `"mnist-classifier-200"`; it is part of `label` and `repr`, so that nobody takes the
            value for FID. None for `InceptionFeatures`, whose label is `"FID"`.
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: the network is no module, or its name is missing or that of a standard score; from `update`, images,
            flags or features do not fit or are not finite; from `compute`, there are fewer than 2 images of either kind.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import FrechetDistance
        >>> metric = FrechetDistance(torch.nn.Flatten(), name="pixels")
        >>> metric
        FrechetDistance('Fréchet distance (pixels)')
        >>> images = torch.tensor([0.0, 2.0]).view(2, 1, 1, 1)
        >>> metric.update(images, generated=False)
        >>> metric.update(images + 3, generated=True)
        >>> metric.compute()
        tensor(9.)
    """

    measures = "How far generated images are from real ones, as two normal distributions of features."
    target = 0.0
    citation = (
        "Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium, "
        "NeurIPS 2017"
    )
    higher_is_better = False
    plot_lower_bound = 0.0

    of_generated: list[Tensor]
    of_real: list[Tensor]

    def __init__(self, feature_extractor: nn.Module, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.extractor = Extractor(feature_extractor, name)
        self.label = self.extractor.label("Fréchet distance", standard="FID")
        self._tell_apart(self.extractor.name)
        for state in ("of_generated", "of_real"):
            self.add_state(state, default=[], dist_reduce_fx="cat")

    @override
    def update(self, images: Tensor, generated: Tensor | bool) -> None:
        """Add images.

        Args:
            images: a batch that the feature extractor takes, finite.
            generated: true for generated, false for real images: bool tensor of shape (N,), or one for all.
        """
        kept = generated_and_real(self.extractor, images, generated)
        if kept is None:
            return
        features, is_generated = kept
        for state, part in (("of_generated", features[is_generated]), ("of_real", features[~is_generated])):
            if len(part):
                row = feature_moments(part).to(self.device)[None]
                before = getattr(self, state)
                if before and before[0].shape != row.shape:
                    raise ValueError(
                        "`feature_extractor` must return as many features as for the images before, "
                        f"{moments_width(before[0])}, found {part.shape[1]}. Pass images of one size."
                    )
                setattr(self, state, [merged_moments(torch.cat([*before, row]))[None]])

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor, at least 0."""
        return frechet_from_moments(self._moments("of_generated"), self._moments("of_real"))

    def _moments(self, state: str) -> Tensor:
        rows = getattr(self, state)
        rows = torch.cat(rows) if isinstance(rows, list) and rows else rows
        count = 0 if isinstance(rows, list) else int(rows[:, 0].sum())
        if count < 2:
            kind = state.removeprefix("of_")
            raise ValueError(
                f"`FrechetDistance` must have seen at least 2 {kind} images before its value is computed, found {count}. "
                "Call `update` first."
            )
        return merged_moments(rows)
