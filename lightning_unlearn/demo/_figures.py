"""The pictures of an unlearning run."""

from lightning_unlearn.demo._curves import accuracy_curves
from lightning_unlearn.demo._grid import prediction_grid

__all__ = ["accuracy_curves", "prediction_grid"]
