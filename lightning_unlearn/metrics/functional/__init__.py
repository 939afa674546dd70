"""Metrics as functions: tensors in, one number out."""

from lightning_unlearn.metrics.functional._membership import membership_inference_accuracy

__all__ = ["membership_inference_accuracy"]
