"""Forgetting and fidelity metrics as torchmetrics classes; `metrics.functional` has them as functions."""

from lightning_unlearn.metrics._base import UnlearningMetric
from lightning_unlearn.metrics._membership import MembershipInferenceAccuracy
from lightning_unlearn.metrics._membership_attack import MembershipAttackAUC
from lightning_unlearn.metrics._membership_balanced_accuracy import MembershipBalancedAccuracy
from lightning_unlearn.metrics._membership_roc import MembershipAdvantage, MembershipAUC, MembershipTPR
from lightning_unlearn.metrics._mia_efficacy import MIAEfficacy, SalUnMIAEfficacy
from lightning_unlearn.metrics._side import SideAccuracy, SideLoss

__all__ = [
    "MIAEfficacy",
    "MembershipAUC",
    "MembershipAdvantage",
    "MembershipAttackAUC",
    "MembershipBalancedAccuracy",
    "MembershipInferenceAccuracy",
    "MembershipTPR",
    "SalUnMIAEfficacy",
    "SideAccuracy",
    "SideLoss",
    "UnlearningMetric",
]
