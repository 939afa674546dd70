"""Draws the figures of docs/metrics.md from simulated data, by the package's own metrics.

python docs/figures.py                       # all, to docs/images/metrics
python docs/figures.py KLoM tow --to folder  # some of them
"""

from __future__ import annotations

import argparse
from pathlib import Path

from metric_figures import (
    attackers,
    challenge,
    divergences,
    efficacy,
    generated_classes,
    generators,
    inside,
    intervals,
    kernel,
    klom,
    likelihood,
    one_number,
    outputs,
    side,
    threshold,
    ulira,
)
from metric_figures.style import save

FIGURES = {
    "SideAccuracy": side.side_accuracy_figure,
    "SideLoss": side.side_loss_figure,
    "MembershipAUC": threshold.membership_auc_figure,
    "MembershipAdvantage": threshold.membership_advantage_figure,
    "MembershipTPR": threshold.membership_tpr_figure,
    "MembershipInferenceAccuracy": attackers.membership_inference_accuracy_figure,
    "MembershipBalancedAccuracy": attackers.membership_balanced_accuracy_figure,
    "MembershipAttackAUC": attackers.membership_attack_auc_figure,
    "MIAEfficacy": efficacy.mia_efficacy_figure,
    "SalUnMIAEfficacy": efficacy.salun_mia_efficacy_figure,
    "ActivationDistance": outputs.activation_distance_figure,
    "LinearCKA": inside.linear_cka_figure,
    "LinearProbeAccuracy": inside.linear_probe_accuracy_figure,
    "PredictionAgreement": outputs.prediction_agreement_figure,
    "ReferenceJSDivergence": divergences.reference_js_divergence_figure,
    "ReferenceKLDivergence": divergences.reference_kl_divergence_figure,
    "ZeroRetrainForgetting": divergences.zero_retrain_forgetting_figure,
    "weight_distance": inside.weight_distance_figure,
    "relearn_time": one_number.relearn_time_figure,
    "tow": one_number.tow_figure,
    "KLoM": klom.klom_figure,
    "GaussianKLoM": klom.gaussian_klom_figure,
    "KLoMPValue": klom.klom_p_value_figure,
    "ULiRAAccuracy": ulira.ulira_accuracy_figure,
    "ForgettingQuality": challenge.forgetting_quality_figure,
    "UnlearningCompetitionScore": challenge.unlearning_competition_score_figure,
    "FrechetDistance": generators.frechet_distance_figure,
    "KernelDistance": kernel.kernel_distance_figure,
    "GeneratorPrecision": generators.generator_precision_figure,
    "GeneratorRecall": generators.generator_recall_figure,
    "ClassifierScore": generated_classes.classifier_score_figure,
    "ClassFraction": generated_classes.class_fraction_figure,
    "prior_test": generated_classes.prior_test_figure,
    "SideReconstructionError": likelihood.side_reconstruction_error_figure,
    "SideELBO": likelihood.side_elbo_figure,
    "bootstrap_interval": one_number.bootstrap_interval_figure,
    "jackknife_interval": intervals.jackknife_interval_figure,
    "proportion_interval": intervals.proportion_interval_figure,
}


def main() -> None:
    """Draw those named, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FIGURES)}")
    parser.add_argument("--to", type=Path, default=Path(__file__).parent / "images" / "metrics")
    wanted = parser.parse_args()
    unknown = [name for name in wanted.names if name not in FIGURES]
    if unknown:
        parser.error(f"NAME must be one of {', '.join(FIGURES)}, found {', '.join(unknown)}.")
    for name in wanted.names or FIGURES:
        save(FIGURES[name](), wanted.to / f"{name}.svg")
        print(wanted.to / f"{name}.svg")


if __name__ == "__main__":
    main()
