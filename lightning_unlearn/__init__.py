"""Machine unlearning for PyTorch Lightning: one callback, two loaders, and a trained model forgets."""

from lightning_unlearn.data import UnlearningDataModule
from lightning_unlearn.errors import ConfigurationError, UnlearningError
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.monitor import ForgettingMonitor
from lightning_unlearn.objectives import (
    Ascent,
    Bounded,
    Confusion,
    Guidance,
    Holdout,
    Objective,
    Redirect,
    Relabel,
    Uniform,
    WeightedAscent,
)
from lightning_unlearn.passes import Side, Source
from lightning_unlearn.recorder import InputCovariance
from lightning_unlearn.strategies import (
    LUR,
    MGDA,
    PGU,
    UNO,
    UNOS,
    CAGrad,
    EditStrategy,
    FineTune,
    GradientAscent,
    GradientDifference,
    GradientStrategy,
    GradientSurgery,
    NormalisedDifference,
    PCGrad,
    RetainSurgery,
    SFRon,
    TorchJDStrategy,
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
    "LUR",
    "PCGrad",
    "MGDA",
    "CAGrad",
    "NormalisedDifference",
    "TorchJDStrategy",
    "PGU",
    "InputCovariance",
    "SFRon",
    "Objective",
    "Ascent",
    "Bounded",
    "Confusion",
    "Holdout",
    "Redirect",
    "Relabel",
    "Uniform",
    "Guidance",
    "WeightedAscent",
    "UnlearningDataModule",
    "ForgettingMonitor",
    "Gradient",
    "Side",
    "Source",
    "UnlearningError",
    "ConfigurationError",
    "__version__",
]
