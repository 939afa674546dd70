"""The standard Inception network."""

from __future__ import annotations

from os import PathLike
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from typing_extensions import override

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.metrics.features._weights import inception_weights

Layer = Literal["64", "192", "768", "2048", "logits_unbiased"]


class InceptionFeatures(nn.Module):
    """Features of the Inception network that FID, KID and inception score are defined by, as torch-fidelity computes them.

    Weights, resizing and scaling are those of the TensorFlow network of 2015, ported by torch-fidelity. The weights are read
    from a file, never downloaded, and only if their SHA-256 is the right one; this is checked here, before anything else is
    done. torchmetrics resizes with antialiasing unless it is told not to, and has other values.

    Args:
        weights: path of `weights-inception-2015-12-05-6726825d.pth`; `None` for the folder in which `torch.hub` keeps it, where
            torch-fidelity and torchmetrics leave it, too.
        layer: `"2048"`, after the last pooling, for FID and KID; `"logits_unbiased"` for the inception score. Values from other
            layers are labelled with the layer.

    Raises:
        ConfigurationError: torch-fidelity is not installed; there is no file, or another one; the layer is unknown. The
            message names the file, where it is to be had, and its SHA-256.
        ValueError: images are neither uint8 nor between 0 and 1, or have other than 1 or 3 channels.

    Example:
        >>> from lightning_unlearn import ConfigurationError
        >>> from lightning_unlearn.metrics.features import InceptionFeatures
        >>> try:
        ...     InceptionFeatures("no-such-file.pth")
        ... except ConfigurationError as error:
        ...     print(str(error).partition(" Download")[0])
        `weights` must be the file weights-inception-2015-12-05-6726825d.pth of torch-fidelity, found no file at no-such-file.pth.
    """

    def __init__(self, weights: str | PathLike[str] | None = None, layer: Layer = "2048") -> None:
        super().__init__()
        if layer not in get_args(Layer):
            raise ConfigurationError(
                f"`layer` must be one of {', '.join(get_args(Layer))}, found {layer!r}. FID and KID are of '2048'."
            )
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
        except ImportError as error:
            raise ConfigurationError(
                "`torch-fidelity` must be installed for the standard Inception, found none. Run `pip install "
                "'lightning-unlearn[fidelity]'`, or pass a feature extractor of your own."
            ) from error
        self.layer = layer
        path = str(inception_weights(weights))
        self.network = FeatureExtractorInceptionV3("inception-v3-compat", [layer], path)

    @override
    def forward(self, images: Tensor) -> Tensor:
        """Features (N, D) of images (N, 3, H, W) or, grey, (N, 1, H, W); uint8, or floats between 0 and 1."""
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise ValueError(
                f"`images` must have the shape (N, 3, H, W) or (N, 1, H, W), found {tuple(images.shape)}. Reshape flat images."
            )
        if images.dtype != torch.uint8:
            if not images.is_floating_point() or images.min() < 0 or images.max() > 1:
                found = f"{images.dtype} from {images.min().item():g} to {images.max().item():g}"
                raise ValueError(
                    f"`images` must be uint8, or floats between 0 and 1, found {found}. Undo the normalisation of the generator."
                )
            images = (images * 255).round().to(torch.uint8)
        features: Tensor = self.network(images.expand(-1, 3, -1, -1))[0]
        return features
