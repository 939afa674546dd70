"""What the forget side minimises; one class an objective."""

from lightning_unlearn.objectives._ascent import Ascent
from lightning_unlearn.objectives._base import Context, Objective
from lightning_unlearn.objectives._bounded import Bounded
from lightning_unlearn.objectives._confusion import Confusion
from lightning_unlearn.objectives._guidance import Guidance
from lightning_unlearn.objectives._holdout import Holdout
from lightning_unlearn.objectives._quotient import Quotient
from lightning_unlearn.objectives._redirect import Redirect
from lightning_unlearn.objectives._relabel import Relabel
from lightning_unlearn.objectives._uniform import Uniform
from lightning_unlearn.objectives._weighted_ascent import WeightedAscent

__all__ = [
    "Objective",
    "Context",
    "Quotient",
    "Ascent",
    "Relabel",
    "Uniform",
    "Bounded",
    "Confusion",
    "Holdout",
    "Redirect",
    "Guidance",
    "WeightedAscent",
]
