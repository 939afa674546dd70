"""Unlearning strategies: callbacks that turn two sides into one direction; one class a file."""

from lightning_unlearn.strategies._base import UnlearningStrategy
from lightning_unlearn.strategies._edit import EditStrategy
from lightning_unlearn.strategies._fine_tune import FineTune
from lightning_unlearn.strategies._gradient import GradientStrategy
from lightning_unlearn.strategies._gradient_ascent import GradientAscent
from lightning_unlearn.strategies._gradient_difference import GradientDifference
from lightning_unlearn.strategies._gradient_surgery import GradientSurgery
from lightning_unlearn.strategies._progress import Progress
from lightning_unlearn.strategies._retain_surgery import RetainSurgery
from lightning_unlearn.strategies._sfron import SFRon

__all__ = [
    "UnlearningStrategy",
    "GradientStrategy",
    "EditStrategy",
    "Progress",
    "FineTune",
    "GradientAscent",
    "GradientDifference",
    "GradientSurgery",
    "RetainSurgery",
    "SFRon",
]
