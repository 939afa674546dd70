"""From findings to one word."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from lightning_unlearn.audit._on_its_own import KIND
from lightning_unlearn.audit._report import TestRecord, Verdict, VerdictName

ENOUGH = 3  # references: with two, tests find nothing but what is far off
COLLAPSE = 0.5  # share of the accuracy above chance whose loss is no mere damage

SENTENCES: dict[VerdictName, str] = {
    "forgotten": "No test could tell the model from one that was retrained without the forget set.",
    "not forgotten": "The model still knows what it should have forgotten.",
    "hidden": "The model no longer says what it should have forgotten, but it is still in there.",
    "revived": "What seems forgotten comes back when the model is treated as deployed models are.",
    "over-forgotten": "The model denies the forget set: that tells who was in it as surely as knowing it would.",
    "collapsed": "The model has lost most of what it should have kept.",
    "damaged": "The model has lost a part of what it should have kept.",
    "undecided": "Nothing was found against the model, but this audit could not have shown that it has forgotten.",
}


def decide(
    tests: Sequence[TestRecord],
    control: Sequence[TestRecord],
    *,
    level: float,
    of_classes: bool,
    references: int,
    accuracy_lost: float,
    unchanged: bool,
    answers: bool,
    cannot_know: Sequence[str],
) -> Verdict:
    """The verdict on the unlearned model.

    What is weightier comes first: a model that has collapsed, then one that remembers, one whose memory comes back, one that
    hides it, one that denies it, and one that was damaged on the way. `forgotten` needs two references or more, and a
    control: the same tests must have told the original from them.

    Args:
        tests: of the unlearned model.
        control: the same tests of the original.
        level: of the tests together.
        of_classes: whether whole classes were to be forgotten.
        references: how many there are.
        accuracy_lost: share of the accuracy above chance that is gone, on the retain set or on test data.
        unchanged: whether the weights are those of the original.
        answers: whether all logits were finite.
        cannot_know: what the audit could not look at.
    """
    against = [test for test in tests if test.rejected and test.name != KIND]
    rejected = {test.name: test for test in against}
    reasons = [test.finding for test in against]
    if accuracy_lost > COLLAPSE:
        reasons.insert(0, f"{accuracy_lost:.0%} of the accuracy above chance is gone.")
    return settled(
        _name(rejected, of_classes, accuracy_lost),
        reasons,
        [test for test in control if test.name not in ("retain", "test", KIND)],
        level=level,
        references=references,
        unchanged=unchanged,
        answers=answers,
        cannot_know=cannot_know,
    )


def settled(
    name: VerdictName,
    reasons: list[str],
    control: Sequence[TestRecord],
    *,
    level: float,
    references: int,
    unchanged: bool,
    answers: bool,
    cannot_know: Sequence[str],
) -> Verdict:
    """The verdict that findings come to: nothing was done, no answers, or `forgotten` where that could not have been seen.

    Args:
        name: what the findings say.
        reasons: they themselves.
        control: those tests of the original that look for memory.
        level: of the tests together.
        references: how many there are.
        unchanged: whether the weights are those of the original.
        answers: whether everything that the model gave was finite.
        cannot_know: what the audit could not look at.
    """
    if not answers:
        name, reasons = "collapsed", ["Some of its answers are not finite.", *reasons]
    elif unchanged:
        name, reasons = (
            "not forgotten",
            ["Its weights are those of the original: nothing was done.", *reasons],
        )
    elif name == "forgotten":
        name, reasons = _unless_blind(control, references)
    return Verdict(name, SENTENCES[name], level, tuple(reasons), tuple(cannot_know))


def _name(rejected: dict[str, TestRecord], of_classes: bool, accuracy_lost: float) -> VerdictName:
    more = {name for name, test in rejected.items() if test.statistic > 0}
    less = rejected.keys() - more
    worse = less & {"retain", "test"}
    if accuracy_lost > COLLAPSE:
        return "collapsed"
    found = _of_classes(more, less) if of_classes else _of_samples(more, less)
    return found or ("damaged" if worse else "forgotten")


def _of_classes(more: AbstractSet[str], less: AbstractSet[str]) -> VerdictName | None:
    """A class that is named is not forgotten; one that is only more likely than it should be is hidden."""
    if "recognition" in more:
        return "not forgotten"
    if any(name.startswith("recognition, ") for name in more):
        return "revived"
    if more:
        return "hidden"
    return "over-forgotten" if less & {"familiarity", "membership"} else None


def _of_samples(more: AbstractSet[str], less: AbstractSet[str]) -> VerdictName | None:
    """What is right about single samples is mostly skill: only being surer than a retrained model is memory."""
    if "membership" in less:
        return "over-forgotten"
    if more & {"familiarity", "membership"}:
        return "not forgotten"
    if any(", " in name for name in more):
        return "revived"
    if more:
        return "hidden"
    return (
        "damaged" if "familiarity" in less else None
    )  # less sure of everything, and of no sample in particular


def _unless_blind(control: Sequence[TestRecord], references: int) -> tuple[VerdictName, list[str]]:
    if references < ENOUGH:
        return "undecided", [
            "Nothing was found against the model; only references, three or more, can show that a retrained model would look "
            "the same."
        ]
    told = [test for test in control if test.rejected]
    if not told or any(test.name == "features" and not test.rejected for test in control):
        return "undecided", [
            "The same tests could not tell the original from the references either: they see too little here. More "
            "references, or more samples, make them sharper."
        ]
    return "forgotten", [
        f"{len(told)} of the {len(control)} tests of memory told the original from the references, and none the unlearned model."
    ]
