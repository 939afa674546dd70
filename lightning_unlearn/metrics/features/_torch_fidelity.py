"""A user's network as a feature extractor of torch-fidelity."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn

from lightning_unlearn.errors import ConfigurationError

LAYER = "features"


def register_feature_extractor(feature_extractor: nn.Module, name: str) -> str:
    """Make a network known to torch-fidelity, for its `calculate_metrics` and its file formats.

    It is registered as `custom-<name>`, so that neither its values nor torch-fidelity's caches are taken for those of the
    standard Inception. torch-fidelity calls them `frechet_inception_distance` all the same: label them.

    Args:
        feature_extractor: maps what the data set yields, which for torch-fidelity are mostly uint8 images (N, 3, H, W), to features
            (N, D). A copy of it, in evaluation mode, is registered.
        name: without path separators, not used before in this process.

    Returns:
        What to pass to `torch_fidelity.calculate_metrics(feature_extractor=...)`.

    Raises:
        ConfigurationError: torch-fidelity is not installed, or the name is taken or cannot be one.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.features import register_feature_extractor
        >>> name = register_feature_extractor(torch.nn.Flatten(), "pixels-of-the-example")
        >>> name
        'custom-pixels-of-the-example'
        >>> # torch_fidelity.calculate_metrics(input1=generated, input2=real, fid=True, feature_extractor=name)
    """
    try:
        from torch_fidelity.feature_extractor_base import FeatureExtractorBase
        from torch_fidelity.registry import register_feature_extractor as register
    except ImportError as error:
        raise ConfigurationError(
            "`torch-fidelity` must be installed to register a feature extractor, found none. Run `pip install "
            "'lightning-unlearn[fidelity]'`."
        ) from error
    module = copy.deepcopy(feature_extractor).eval().requires_grad_(False)

    class Registered(FeatureExtractorBase):  # type: ignore[misc]  # untyped package
        def __init__(self, name: str, features_list: list[str], **_: Any) -> None:
            super().__init__(name, features_list)
            self.module = module

        def forward(self, images: Tensor) -> tuple[Tensor]:
            return (self.module(images),)

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return (LAYER,)

        @staticmethod
        def get_default_feature_layer_for_metric(_: str) -> str:
            return LAYER

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        @staticmethod
        def get_dummy_input_for_compile() -> None:
            return None

    registered = f"custom-{name}"
    try:
        register(registered, Registered)
    except ValueError as error:
        raise ConfigurationError(
            f"`name` must be new and fit for a file name, found {name!r}: {error} Choose another."
        ) from error
    return registered
