"""Forgetting and fidelity metrics as torchmetrics classes; `metrics.functional` has them as functions."""

from lightning_unlearn.metrics._base import (
    UnlearningMetric,
)
from lightning_unlearn.metrics._forgetting_quality import (
    ForgettingQuality,
    UnlearningCompetitionScore,
)
from lightning_unlearn.metrics._klom import (
    GaussianKLoM,
    KLoM,
    KLoMPValue,
)
from lightning_unlearn.metrics._linear_cka import (
    LinearCKA,
)
from lightning_unlearn.metrics._linear_probe import (
    LinearProbeAccuracy,
)
from lightning_unlearn.metrics._membership import (
    MembershipInferenceAccuracy,
)
from lightning_unlearn.metrics._membership_attack import (
    MembershipAttackAUC,
)
from lightning_unlearn.metrics._membership_balanced_accuracy import (
    MembershipBalancedAccuracy,
)
from lightning_unlearn.metrics._membership_roc import (
    MembershipAdvantage,
    MembershipAUC,
    MembershipTPR,
)
from lightning_unlearn.metrics._mia_efficacy import (
    MIAEfficacy,
    SalUnMIAEfficacy,
)
from lightning_unlearn.metrics._reference import (
    ActivationDistance,
    PredictionAgreement,
    ReferenceJSDivergence,
    ReferenceKLDivergence,
)
from lightning_unlearn.metrics._side import (
    SideAccuracy,
    SideLoss,
)
from lightning_unlearn.metrics._ulira import (
    ULiRAAccuracy,
)
from lightning_unlearn.metrics._zero_retrain_forgetting import (
    ZeroRetrainForgetting,
)

__all__ = [
    "ActivationDistance",
    "ForgettingQuality",
    "GaussianKLoM",
    "KLoM",
    "KLoMPValue",
    "LinearCKA",
    "LinearProbeAccuracy",
    "MIAEfficacy",
    "MembershipAUC",
    "MembershipAdvantage",
    "MembershipAttackAUC",
    "MembershipBalancedAccuracy",
    "MembershipInferenceAccuracy",
    "MembershipTPR",
    "PredictionAgreement",
    "ReferenceJSDivergence",
    "ReferenceKLDivergence",
    "SalUnMIAEfficacy",
    "SideAccuracy",
    "SideLoss",
    "ULiRAAccuracy",
    "UnlearningCompetitionScore",
    "UnlearningMetric",
    "ZeroRetrainForgetting",
]
