"""Data for unlearning: splitting into forget and retain set, and the two streams of batches."""

from lightning_unlearn.data._datamodule import UnlearningDataModule

__all__ = ["UnlearningDataModule"]
