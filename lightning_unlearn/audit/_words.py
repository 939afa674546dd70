"""What an audit says of itself: what it did, and what it cannot know."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_unlearn.audit._blind import INPUTS
from lightning_unlearn.audit._numbers import Evidence, features_of_classes
from lightning_unlearn.audit._on_its_own import KIND
from lightning_unlearn.audit._options import Options
from lightning_unlearn.audit._probe import SHOTS
from lightning_unlearn.audit._report import AttackRecord, TestRecord


def attacks(evidence: Evidence) -> list[AttackRecord]:
    """Every attack that the audit knows, and why one did not run."""
    no_unseen = (
        "" if evidence.unseen is not None else "There are no unseen samples of the kind that is forgotten."
    )
    no_class = "" if evidence.forgotten_classes else "Samples were forgotten, not a class."
    no_features = (
        "The module has no linear layer; `features=` may name a layer."
        if not evidence.forget.features.keys() - {INPUTS}
        else ""
        if features_of_classes(evidence, "unlearned")
        else f"It needs {2 * SHOTS} samples of the class, and of the retain set."
    )
    few = min(len(evidence.forget), len(evidence.unseen or ())) < 10
    no_attack = no_unseen or ("It needs ten forget and ten unseen samples." if few else "")
    once = "It needs many unlearned models, and there is one."
    found = [
        ("one threshold", "Tells members by one of five scores: likelihood, logit gap, two entropies, correctness.", no_unseen),
        ("learned attack", "Logistic regression on the five scores, cross-validated.", no_attack),
        ("MIA-efficacy", "Support vector machine that has learned from retained and unseen samples.", no_unseen),
        ("few-shot probe", "Looks for the class in the features with ten examples.", no_class or no_features),
        ("learning again", "Trains on half of the forget set, and looks how soon the rest is known.",
         "" if evidence.relearning else "It was switched off (`relearning_steps=0`)."),
        *[(treatment, f"Looks at the forget set {treatment}.", "") for treatment in evidence.variants],
        ("U-LiRA", "Likelihood ratios over many unlearned and many retrained models.", once),
        ("KLoM", "Compares the distributions of margins over many models.", once),
    ]  # fmt: skip
    return [AttackRecord(name, what, not why_not, why_not or None) for name, what, why_not in found]


def cannot_know(
    evidence: Evidence, tests: Sequence[TestRecord], references: int, options: Options
) -> list[str]:
    """What this audit could not look at."""
    found = []
    if references == 0:
        found.append(
            "There is no reference: how a model that was retrained without the forget set would answer is not known. What "
            "can be seen is whether the forget set stands out from unseen data."
        )
    if references == 1:
        found.append(
            "There is one reference: how much two of them differ by chance is not known, so gaps are not tested."
        )
    if references == 2:
        found.append(
            "There are two references: tests find only what is very far from both. The verdict takes three."
        )
    if any(test.name == KIND and test.rejected for test in tests):
        found.append(
            "The unseen samples are of another kind than the forget set, as a look at the inputs alone shows: whether it was "
            "learned cannot be told from what it is. Hold out samples at random, or retrain references."
        )
    names = {test.name for test in tests}
    if references < 2 and "membership" in names and KIND not in names:
        found.append("Whether the unseen samples are of the kind of the forget set could not be looked at.")
    if evidence.forgotten_classes and not features_of_classes(evidence, "unlearned"):
        found.append(
            "The forgotten class was not looked for in the features: there are too few samples, or no linear layer. What is "
            "hidden there is not seen."
        )
    if evidence.unseen is None:
        kind = "class" if evidence.forgotten_classes else "kind"
        found.append(
            f"There are no unseen samples of the forgotten {kind}: membership cannot be told from knowledge."
        )
    if evidence.test is None:
        found.append("There are no test data: whether the model still generalises is not known.")
    if not evidence.forgotten_classes:
        found.append(
            "Single samples leave no cluster in the features: what is hidden inside is sought by learning again only."
        )
    if not options.relearning_steps:
        found.append("Learning again was switched off: knowledge that training would bring back is not seen.")
    if not options.bits and not options.benign_epoch:
        found.append(
            "No treatment was tried: whether quantisation or further training brings anything back is not known."
        )
    found.append(
        "That these attacks find nothing does not show that none could: this is evidence, not proof."
    )
    return found
