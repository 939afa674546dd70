"""Forgetting and fidelity metrics as torchmetrics classes; `metrics.functional` has them as functions."""

from lightning_unlearn.metrics._membership import MembershipInferenceAccuracy

__all__ = ["MembershipInferenceAccuracy"]
