"""Unlearning strategies: callbacks that turn two sides into one direction; one class a file."""

from lightning_unlearn.strategies._base import UnlearningStrategy
from lightning_unlearn.strategies._cagrad import CAGrad
from lightning_unlearn.strategies._edit import EditStrategy
from lightning_unlearn.strategies._fine_tune import FineTune
from lightning_unlearn.strategies._gradient import GradientStrategy
from lightning_unlearn.strategies._gradient_ascent import GradientAscent
from lightning_unlearn.strategies._gradient_difference import GradientDifference
from lightning_unlearn.strategies._gradient_surgery import GradientSurgery
from lightning_unlearn.strategies._lur import LUR
from lightning_unlearn.strategies._mgda import MGDA
from lightning_unlearn.strategies._normalised_difference import NormalisedDifference
from lightning_unlearn.strategies._pcgrad import PCGrad
from lightning_unlearn.strategies._pgu import PGU
from lightning_unlearn.strategies._progress import Progress
from lightning_unlearn.strategies._retain_surgery import RetainSurgery
from lightning_unlearn.strategies._sfron import SFRon
from lightning_unlearn.strategies._torchjd import TorchJDStrategy
from lightning_unlearn.strategies._uno import UNO
from lightning_unlearn.strategies._unos import UNOS

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
    "UNO",
    "UNOS",
    "LUR",
    "PCGrad",
    "MGDA",
    "CAGrad",
    "NormalisedDifference",
    "TorchJDStrategy",
    "PGU",
    "SFRon",
]
