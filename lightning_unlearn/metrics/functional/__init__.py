"""Metrics as functions: tensors in, one number out."""

from lightning_unlearn.metrics.functional._membership import membership_inference_accuracy
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

__all__ = [
    "confidence",
    "correctness",
    "log_likelihood",
    "logit_gap",
    "membership_advantage",
    "membership_auc",
    "membership_inference_accuracy",
    "membership_tpr",
    "negative_entropy",
    "negative_modified_entropy",
]
