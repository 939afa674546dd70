"""From findings about a generator to one word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lightning_unlearn.audit._generator_bounds import ORIGINAL, PRIOR, lost
from lightning_unlearn.audit._generator_evidence import GeneratorEvidence
from lightning_unlearn.audit._generator_tests import FORGET, FRACTION
from lightning_unlearn.audit._report import TestRecord, Verdict, VerdictName
from lightning_unlearn.audit._verdict import COLLAPSE, settled


def decide_generator(
    tests: Sequence[TestRecord],
    control: Sequence[TestRecord],
    evidence: GeneratorEvidence,
    references: list[str],
    *,
    level: float,
    unchanged: bool,
    cannot_know: Sequence[str],
) -> Verdict:
    """The verdict on the unlearned generator, in the order of `decide`.

    It has collapsed if its images have gone more than half of the way from those of the references (without any, of the
    original) to a generator of one image; see `lost`. It has not forgotten if it makes the class more often than references
    do, or not clearly less often than the data have it; the class is revived if that is so after rounding the weights only,
    and hidden if it is made no more, but the images of the forget set are better explained than by references. Worse
    explained, they are over-forgotten. Everything else that was found is damage.

    Args:
        tests: of the unlearned model.
        control: the same tests of the original.
        evidence: what was measured.
        references: their names.
        level: of the tests together.
        unchanged: whether the weights are those of the original.
        cannot_know: what the audit could not look at.
    """
    rejected = {test.name: test for test in tests if test.rejected}
    reasons = [test.finding for test in rejected.values()]
    way = lost(evidence, "unlearned", references or ["original"])
    name = _name(rejected)
    whose = "references" if references else "original"
    if way > COLLAPSE:
        name = "collapsed"
        nearer = (
            "farther from the real ones than"
            if way >= 1
            else f"{way:.0%} of the way from those of the {whose} to"
        )
        reasons.insert(0, f"Its images are {nearer} those of a generator that makes one image only.")
    asked = [test for test in control if _of_memory(test.name)]
    return settled(
        name,
        reasons,
        asked,
        level=level,
        references=len(references),
        unchanged=unchanged,
        answers=evidence.finite["unlearned"],
        cannot_know=cannot_know,
    )


def _name(rejected: Mapping[str, TestRecord]) -> VerdictName:
    if rejected.keys() & {PRIOR, ORIGINAL, FRACTION}:
        return "not forgotten"
    if any(name.startswith(f"{FRACTION}, ") for name in rejected):
        return "revived"
    of_forget = [test.statistic for name, test in rejected.items() if name.startswith(FORGET)]
    if any(statistic < 0 for statistic in of_forget):
        return "hidden"
    if of_forget:
        return "over-forgotten"
    return "damaged" if rejected else "forgotten"


def _of_memory(name: str) -> bool:
    return name == FRACTION or name.startswith((FORGET, f"{FRACTION}, "))
