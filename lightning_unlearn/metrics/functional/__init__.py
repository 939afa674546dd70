"""Metrics as functions: tensors in, one number out."""

from lightning_unlearn.metrics.functional._bootstrap import bootstrap_interval
from lightning_unlearn.metrics.functional._membership import membership_inference_accuracy
from lightning_unlearn.metrics.functional._membership_attack import membership_attack_auc, membership_features
from lightning_unlearn.metrics.functional._membership_balanced_accuracy import membership_balanced_accuracy
from lightning_unlearn.metrics.functional._membership_roc import (
    membership_advantage,
    membership_auc,
    membership_tpr,
)
from lightning_unlearn.metrics.functional._membership_scores import (
    confidence,
    correctness,
    log_likelihood,
    logit_gap,
    negative_entropy,
    negative_modified_entropy,
)
from lightning_unlearn.metrics.functional._mia_efficacy import mia_efficacy, salun_mia_efficacy
from lightning_unlearn.metrics.functional._side import side_accuracy, side_loss

__all__ = [
    "bootstrap_interval",
    "confidence",
    "correctness",
    "log_likelihood",
    "logit_gap",
    "membership_advantage",
    "membership_attack_auc",
    "membership_auc",
    "membership_balanced_accuracy",
    "membership_features",
    "membership_inference_accuracy",
    "membership_tpr",
    "mia_efficacy",
    "negative_entropy",
    "negative_modified_entropy",
    "salun_mia_efficacy",
    "side_accuracy",
    "side_loss",
]
