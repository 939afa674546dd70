"""What an audit of a generator says of itself: what it did, and what it cannot know."""

from __future__ import annotations

from lightning_unlearn.audit._generator_evidence import GeneratorEvidence
from lightning_unlearn.audit._generator_options import GeneratorOptions
from lightning_unlearn.audit._report import AttackRecord


def generator_attacks(evidence: GeneratorEvidence) -> list[AttackRecord]:
    """Every way to find the class that the audit knows, and why one was not tried."""
    no_measure = "" if evidence.measures else "No `losses` and no `likelihoods` were given."
    found = [
        ("sampling", f"Lets another classifier look for the class among {evidence.trials} images.", ""),
        *[(treatment, f"Does the same {treatment}.", "") for treatment in evidence.treated],
        ("losses of samples", "Looks how well the model explains the images of the forget set.", no_measure),
        ("learning again", "Trains on some of the forget set, and looks how soon the class is back.",
         "Audits of generators do not train."),
        ("search of latents", "Looks for random numbers from which the model still makes the class.",
         "Random numbers are drawn as `sample` draws them, and not searched for."),
    ]  # fmt: skip
    return [AttackRecord(name, what, not why_not, why_not or None) for name, what, why_not in found]


def generator_cannot_know(
    evidence: GeneratorEvidence, options: GeneratorOptions, references: int
) -> list[str]:
    """What this audit could not look at."""
    real = evidence.real
    found = []
    if references < 2:
        count = "no reference" if references == 0 else "one reference"
        found.append(
            f"There is {count}: how often a model that was retrained without the class would seem to make it, and how much two such "
            "models differ, is not known. Nothing is tested, there are bounds only."
        )
    found.append(
        f"{options.classifier_name} is no perfect judge: of real retained images it takes {_percent(real.false_alarms.value)} for "
        f"the class ({_percent(real.false_alarms.low)} to {_percent(real.false_alarms.high)}), of real images of the forget set "
        f"{_percent(real.found.value)}. A generator that never makes the class has a fraction of about the former."
    )
    if not evidence.measures:
        found.append(
            "No losses were given: whether the model still explains images of the class that it does not make is not known."
        )
    if options.feature_extractor is None:
        found.append(
            f"No feature extractor was given: images are compared by the logits of {options.classifier_name}, which see little else "
            "than classes."
        )
    if not evidence.treated:
        found.append(
            "No treatment was tried: whether quantisation or further training brings anything back is not known."
        )
    found.append(
        "Only random numbers as `sample` draws them were tried: others, or other conditions, may bring the class out."
    )
    found.append(
        "That these attacks find nothing does not show that none could: this is evidence, not proof."
    )
    return found


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"
