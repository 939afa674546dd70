"""What an audit has found: plain values, as they stand in the JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

FORMAT = "lightning-unlearn audit 1"

VerdictName = Literal[
    "forgotten",
    "not forgotten",
    "hidden",
    "revived",
    "over-forgotten",
    "collapsed",
    "damaged",
    "undecided",
]


@dataclass(frozen=True)
class Verdict:
    """The answer, and what it rests on.

    Attributes:
        name: one word for it.
        sentence: what that means, in one sentence.
        level: probability that a model which was retrained without the forget set is not called `forgotten`.
        reasons: the findings behind the answer, the weightiest first.
        cannot_know: what this audit could not look at.
    """

    name: VerdictName
    sentence: str
    level: float
    reasons: Sequence[str]
    cannot_know: Sequence[str]


@dataclass(frozen=True)
class SideRecord:
    """One set of samples.

    Attributes:
        name: `forget`, `retain`, `test` or `unseen`, as they were given.
        samples: how many.
        sha256: of the sorted identifiers of the samples.
    """

    name: str
    samples: int
    sha256: str


@dataclass(frozen=True)
class ModelRecord:
    """One model.

    Attributes:
        name: `original`, `unlearned`, `reference 1`, …, or a variant: `unlearned, 4 bits`.
        role: what it is there for.
        source: file that the weights were read from.
        sha256: of the names, shapes, types and bytes of its weights.
        parameters: how many numbers they are.
    """

    name: str
    role: Literal["original", "unlearned", "reference", "variant"]
    source: str | None
    sha256: str
    parameters: int


@dataclass(frozen=True)
class Estimate:
    """A number, and the interval that other samples might have moved it in.

    Attributes:
        value: the number.
        low: lower end of the interval; `None` if there is none.
        high: upper end.
    """

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Seeds:
    """What several references come to.

    Attributes:
        count: how many.
        mean: of their values.
        low: lower end of the interval in which another reference should lie; `None` for one.
        high: upper end.
        gap: mean distance of two references, `None` for one: the floor for every other gap.
    """

    count: int
    mean: float
    low: float | None
    high: float | None
    gap: float | None


@dataclass(frozen=True)
class MetricRecord:
    """One metric on one side, for every model.

    Attributes:
        name: class of `lightning_unlearn.metrics`, with its score in brackets.
        side: whose samples; two sides as `forget / unseen`.
        measures: what it measures, in one line.
        target: a number, or `reference`.
        higher_is_better: `None` where neither is.
        citation: where it comes from.
        bounds: smallest and largest possible value; `None` where there is none.
        values: by name of the model.
        references: over the references; `None` without.
        gaps: of the original and the unlearned model to the target.
    """

    name: str
    side: str
    measures: str
    target: float | str
    higher_is_better: bool | None
    citation: str
    bounds: tuple[float | None, float | None]
    values: Mapping[str, Estimate]
    references: Seeds | None
    gaps: Mapping[str, float]


@dataclass(frozen=True)
class TestRecord:
    """One test of one model.

    Attributes:
        name: a name that stays.
        model: whom it was done to: `unlearned`, or `original` as the control.
        question: what was asked.
        null: what holds for a model that was retrained without the forget set.
        statistic: the number that was looked at; its sign says in which direction.
        p_value: probability of at least this under the null; `None` if the test is a bound and not a test.
        adjusted: the same, corrected for the number of tests (Holm).
        rejected: whether the null was rejected at the level of the verdict.
        finding: what that says, in one sentence.
    """

    __test__ = False  # not a test of pytest

    name: str
    model: str
    question: str
    null: str
    statistic: float
    p_value: float | None
    adjusted: float | None
    rejected: bool
    finding: str


@dataclass(frozen=True)
class AttackRecord:
    """One way in which the audit tried to find what should be gone.

    Attributes:
        name: of the attack.
        what: what it does, in one sentence.
        ran: whether it did.
        why_not: the reason, if it did not.
    """

    name: str
    what: str
    ran: bool
    why_not: str | None = None


@dataclass(frozen=True)
class Curves:
    """What the figures show, in numbers.

    Attributes:
        classes: labels, in their order; empty for generators.
        accuracy_by_class: for every model, share of the unseen samples of each class that it gets right; `None` where a
            class has none.
        loss_edges: edges of the bins of `loss_counts`, in nats.
        loss_counts: by side, by model: how many samples in each bin.
        roc: by score, by model: false and true positive rates, from (0, 0) to (1, 1).
        scatter: by side: pairs of the log-likelihood by the original and by the unlearned model; at most 1000 a side.
        images: by title: `png`, a grid of samples as the bytes of a PNG file in base64, and `description`, what is seen.
    """

    classes: Sequence[int] = ()
    accuracy_by_class: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    loss_edges: Sequence[float] = ()
    loss_counts: Mapping[str, Mapping[str, Sequence[int]]] = field(default_factory=dict)
    roc: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]] = field(default_factory=dict)
    scatter: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    images: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class AuditReport:
    """An audit of one unlearned model.

    Attributes:
        verdict: the answer.
        request: what had to be forgotten: `kind` is `class`, `samples` or `generator`, `classes` the labels, if any.
        sides: the samples.
        models: original, unlearned, references, variants.
        metrics: every metric for every model.
        tests: of the unlearned model.
        control: the same tests of the original: what cannot tell it from a reference cannot tell anything.
        attacks: which ran.
        curves: what the figures show.
        configuration: arguments of the audit.
        environment: versions of packages, machine.
        made: when (`at`, ISO 8601, UTC) and in how many `seconds`: all that two runs differ in.
        format: name of the JSON Schema.
    """

    verdict: Verdict
    request: Mapping[str, Any]
    sides: Sequence[SideRecord]
    models: Sequence[ModelRecord]
    metrics: Sequence[MetricRecord]
    tests: Sequence[TestRecord]
    control: Sequence[TestRecord]
    attacks: Sequence[AttackRecord]
    curves: Curves
    configuration: Mapping[str, Any]
    environment: Mapping[str, Any]
    made: Mapping[str, Any]
    format: str = FORMAT
