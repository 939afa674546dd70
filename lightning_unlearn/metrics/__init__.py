"""Forgetting and fidelity metrics as torchmetrics classes; `metrics.functional` has them as functions."""

from lightning_unlearn.metrics._base import (
    UnlearningMetric,
)
from lightning_unlearn.metrics._class_fraction import (
    ClassFraction,
)
from lightning_unlearn.metrics._classifier_score import (
    ClassifierScore,
)
from lightning_unlearn.metrics._forgetting_quality import (
    ForgettingQuality,
    UnlearningCompetitionScore,
)
from lightning_unlearn.metrics._frechet_distance import (
    FrechetDistance,
)
from lightning_unlearn.metrics._generator_manifold import (
    GeneratorPrecision,
    GeneratorRecall,
)
from lightning_unlearn.metrics._kernel_distance import (
    KernelDistance,
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
from lightning_unlearn.metrics._side_values import (
    SideELBO,
    SideReconstructionError,
)
from lightning_unlearn.metrics._ulira import (
    ULiRAAccuracy,
)
from lightning_unlearn.metrics._zero_retrain_forgetting import (
    ZeroRetrainForgetting,
)

__all__ = [
    "ActivationDistance",
    "ClassFraction",
    "ClassifierScore",
    "ForgettingQuality",
    "FrechetDistance",
    "GaussianKLoM",
    "GeneratorPrecision",
    "GeneratorRecall",
    "KLoM",
    "KLoMPValue",
    "KernelDistance",
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
    "SideELBO",
    "SideLoss",
    "SideReconstructionError",
    "ULiRAAccuracy",
    "UnlearningCompetitionScore",
    "UnlearningMetric",
    "ZeroRetrainForgetting",
]
