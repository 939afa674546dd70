"""Data for unlearning: splitting into forget and retain set, and the two streams of batches."""

from lightning_unlearn.data._datamodule import UnlearningDataModule
from lightning_unlearn.data._sampler import CycleSampler

__all__ = ["CycleSampler", "UnlearningDataModule"]
