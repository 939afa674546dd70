"""The subspaces that the inputs of linear and convolution layers lie in: measured, decomposed, projected on."""

from lightning_unlearn.subspaces._covariances import Covariances
from lightning_unlearn.subspaces._products import InputProducts, layers_by_weight
from lightning_unlearn.subspaces._projector import Projector
from lightning_unlearn.subspaces._vectors import Layer, input_vectors, shape_of

__all__ = [
    "Covariances",
    "InputProducts",
    "Layer",
    "Projector",
    "input_vectors",
    "layers_by_weight",
    "shape_of",
]
