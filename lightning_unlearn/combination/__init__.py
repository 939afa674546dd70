"""Rules that make one direction of two gradients: pure functions of (u, g_r), exact, without a host synchronisation."""

from lightning_unlearn.combination._a_gem import a_gem
from lightning_unlearn.combination._cagrad import cagrad
from lightning_unlearn.combination._dual_projection import dual_projection
from lightning_unlearn.combination._mgda import mgda
from lightning_unlearn.combination._normalised_difference import normalised_difference
from lightning_unlearn.combination._pcgrad import pcgrad

__all__ = ["a_gem", "cagrad", "dual_projection", "mgda", "normalised_difference", "pcgrad"]
