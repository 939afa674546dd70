"""Machine unlearning for PyTorch Lightning: one callback, two loaders, and a trained model forgets."""

from lightning_unlearn.data import UnlearningDataModule
from lightning_unlearn.errors import ConfigurationError, UnlearningError
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.monitor import ForgettingMonitor
from lightning_unlearn.objectives import (
    Ascent,
    Bounded,
    Guidance,
    Holdout,
    Objective,
    Redirect,
    Relabel,
    Uniform,
)
from lightning_unlearn.passes import Side, Source
from lightning_unlearn.strategies import (
    UNO,
    UNOS,
    EditStrategy,
    FineTune,
    GradientAscent,
    GradientDifference,
    GradientStrategy,
    GradientSurgery,
    RetainSurgery,
    UnlearningStrategy,
)

__version__ = "0.1.0"

__all__ = [
    "UnlearningStrategy",
    "GradientStrategy",
    "EditStrategy",
    "FineTune",
    "GradientAscent",
    "GradientDifference",
    "GradientSurgery",
    "RetainSurgery",
    "UNO",
    "UNOS",
    "Objective",
    "Ascent",
    "Bounded",
    "Holdout",
    "Redirect",
    "Relabel",
    "Uniform",
    "Guidance",
    "UnlearningDataModule",
    "ForgettingMonitor",
    "Gradient",
    "Side",
    "Source",
    "UnlearningError",
    "ConfigurationError",
    "__version__",
]
