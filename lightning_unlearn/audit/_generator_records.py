"""Numbers of generators as an audit's report has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lightning_unlearn.audit import _intervals as intervals
from lightning_unlearn.audit._generator_evidence import GeneratorEvidence
from lightning_unlearn.audit._generator_options import GeneratorOptions
from lightning_unlearn.audit._generator_seen import share
from lightning_unlearn.audit._records import beside_references
from lightning_unlearn.audit._report import Estimate, MetricRecord
from lightning_unlearn.metrics import (
    ClassFraction,
    FrechetDistance,
    GeneratorPrecision,
    GeneratorRecall,
    KernelDistance,
    UnlearningMetric,
)
from lightning_unlearn.metrics._extractor import Extractor

_DISTANCES = (FrechetDistance, KernelDistance, GeneratorPrecision, GeneratorRecall)


def generator_records(
    evidence: GeneratorEvidence, options: GeneratorOptions, references: Sequence[str]
) -> list[MetricRecord]:
    """Every metric for every model.

    Args:
        evidence: what was measured.
        options: of the audit.
        references: names of the models that are references.
    """
    return [
        *_fractions(evidence, options, references),
        *_fidelity(evidence, options.extractor(), references),
        *_values(evidence, references),
    ]


def _fractions(
    evidence: GeneratorEvidence, options: GeneratorOptions, references: Sequence[str]
) -> Iterator[MetricRecord]:
    metric = ClassFraction(options.classifier, options.forget_class, options.classifier_name)
    for treatment, hits in {"": evidence.hits, **evidence.treated}.items():
        values = {model: share(count, evidence.trials, evidence.confidence) for model, count in hits.items()}
        name = f"ClassFraction[{metric.label}]" + (f" {treatment}" if treatment else "")
        yield _record(name, "forget", ClassFraction, values, references, evidence.confidence)


def _fidelity(
    evidence: GeneratorEvidence, extractor: Extractor, references: Sequence[str]
) -> Iterator[MetricRecord]:
    for kind in _DISTANCES:
        metric = kind(extractor.module, None if extractor.standard else extractor.name)
        values = evidence.fidelity[kind.__name__]
        yield _record(
            f"{kind.__name__}[{metric.label}]", "retain", kind, values, references, evidence.confidence
        )


def _values(evidence: GeneratorEvidence, references: Sequence[str]) -> Iterator[MetricRecord]:
    for measure in evidence.measures:
        for side, by_model in evidence.values[measure.name].items():
            values = {
                model: intervals.mean(numbers, evidence.confidence) for model, numbers in by_model.items()
            }
            name = f"{measure.metric.__name__}[{measure.name}]"
            yield _record(name, side, measure.metric, values, references, evidence.confidence)


def _record(
    name: str,
    side: str,
    metric: type[UnlearningMetric],
    values: Mapping[str, Estimate],
    references: Sequence[str],
    confidence: float,
) -> MetricRecord:
    return beside_references(
        name,
        side,
        metric.measures,
        metric.target,
        metric.higher_is_better,
        metric.citation,
        (metric.plot_lower_bound, metric.plot_upper_bound),
        values,
        references,
        confidence,
    )
