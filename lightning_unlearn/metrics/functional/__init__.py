"""Metrics as functions: tensors in, one number out."""

from lightning_unlearn.metrics.functional._bootstrap import (
    bootstrap_interval,
)
from lightning_unlearn.metrics.functional._classifier_score import (
    classifier_score,
)
from lightning_unlearn.metrics.functional._forgetting_quality import (
    forgetting_quality,
    unlearning_competition_score,
    unlearning_epsilons,
)
from lightning_unlearn.metrics.functional._frechet_distance import (
    frechet_distance,
)
from lightning_unlearn.metrics.functional._gaussian_klom import (
    gaussian_klom,
    gaussian_klom_per_sample,
)
from lightning_unlearn.metrics.functional._jackknife import (
    jackknife_interval,
)
from lightning_unlearn.metrics.functional._kernel_distance import (
    kernel_distance,
)
from lightning_unlearn.metrics.functional._klom import (
    klom,
    klom_per_sample,
)
from lightning_unlearn.metrics.functional._klom_p_value import (
    klom_p_value,
)
from lightning_unlearn.metrics.functional._linear_cka import (
    linear_cka,
)
from lightning_unlearn.metrics.functional._linear_probe import (
    linear_probe_accuracy,
)
from lightning_unlearn.metrics.functional._manifold import (
    generator_precision,
    generator_recall,
)
from lightning_unlearn.metrics.functional._membership import (
    membership_inference_accuracy,
)
from lightning_unlearn.metrics.functional._membership_attack import (
    membership_attack_auc,
    membership_features,
)
from lightning_unlearn.metrics.functional._membership_balanced_accuracy import (
    membership_balanced_accuracy,
)
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
from lightning_unlearn.metrics.functional._mia_efficacy import (
    mia_efficacy,
    salun_mia_efficacy,
)
from lightning_unlearn.metrics.functional._proportions import (
    class_fraction,
    prior_test,
    proportion_interval,
)
from lightning_unlearn.metrics.functional._reference import (
    activation_distance,
    prediction_agreement,
    reference_js_divergence,
    reference_kl_divergence,
)
from lightning_unlearn.metrics.functional._relearning import (
    anamnesis_index,
    relearn_time,
)
from lightning_unlearn.metrics.functional._side import (
    side_accuracy,
    side_loss,
)
from lightning_unlearn.metrics.functional._side_values import (
    mean_interval,
    side_mean,
)
from lightning_unlearn.metrics.functional._tug_of_war import (
    average_gap,
    tow,
)
from lightning_unlearn.metrics.functional._ulira import (
    ulira_accuracy,
    ulira_scores,
)
from lightning_unlearn.metrics.functional._weight_distance import (
    weight_distance,
)
from lightning_unlearn.metrics.functional._zero_retrain_forgetting import (
    zero_retrain_forgetting,
)

__all__ = [
    "activation_distance",
    "anamnesis_index",
    "average_gap",
    "bootstrap_interval",
    "class_fraction",
    "classifier_score",
    "confidence",
    "correctness",
    "forgetting_quality",
    "frechet_distance",
    "gaussian_klom",
    "gaussian_klom_per_sample",
    "generator_precision",
    "generator_recall",
    "jackknife_interval",
    "kernel_distance",
    "klom",
    "klom_p_value",
    "klom_per_sample",
    "linear_cka",
    "linear_probe_accuracy",
    "log_likelihood",
    "logit_gap",
    "mean_interval",
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
    "prediction_agreement",
    "prior_test",
    "proportion_interval",
    "reference_js_divergence",
    "reference_kl_divergence",
    "relearn_time",
    "salun_mia_efficacy",
    "side_accuracy",
    "side_loss",
    "side_mean",
    "tow",
    "ulira_accuracy",
    "ulira_scores",
    "unlearning_competition_score",
    "unlearning_epsilons",
    "weight_distance",
    "zero_retrain_forgetting",
]
