"""Forgetting and fidelity metrics as torchmetrics classes; `metrics.functional` has them as functions."""

from lightning_unlearn.metrics._base import UnlearningMetric
from lightning_unlearn.metrics._forgetting_quality import ForgettingQuality, UnlearningCompetitionScore
from lightning_unlearn.metrics._klom import GaussianKLoM, KLoM, KLoMPValue
from lightning_unlearn.metrics._membership import MembershipInferenceAccuracy
from lightning_unlearn.metrics._membership_roc import MembershipAdvantage, MembershipAUC, MembershipTPR
from lightning_unlearn.metrics._ulira import ULiRAAccuracy

__all__ = [
    "ForgettingQuality",
    "GaussianKLoM",
    "KLoM",
    "KLoMPValue",
    "MembershipAUC",
    "MembershipAdvantage",
    "MembershipInferenceAccuracy",
    "MembershipTPR",
    "ULiRAAccuracy",
    "UnlearningCompetitionScore",
    "UnlearningMetric",
]
