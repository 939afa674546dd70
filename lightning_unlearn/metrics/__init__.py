"""Forgetting and fidelity metrics as torchmetrics classes; `metrics.functional` has them as functions."""

from lightning_unlearn.metrics._base import UnlearningMetric
from lightning_unlearn.metrics._membership import MembershipInferenceAccuracy
from lightning_unlearn.metrics._membership_roc import MembershipAdvantage, MembershipAUC, MembershipTPR

__all__ = [
    "MembershipAUC",
    "MembershipAdvantage",
    "MembershipInferenceAccuracy",
    "MembershipTPR",
    "UnlearningMetric",
]
