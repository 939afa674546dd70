"""Networks whose features fidelity metrics compare, and their way into torch-fidelity."""

from lightning_unlearn.metrics.features._inception import (
    InceptionFeatures,
)
from lightning_unlearn.metrics.features._torch_fidelity import (
    register_feature_extractor,
)

__all__ = [
    "InceptionFeatures",
    "register_feature_extractor",
]
