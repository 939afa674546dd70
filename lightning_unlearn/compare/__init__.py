"""Strategies beside doing nothing, retain fine-tuning, ascent and retraining: many cells, one table."""

from lightning_unlearn.compare._compare import compare

__all__ = ["compare"]
