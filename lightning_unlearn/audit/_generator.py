"""What an audit finds in a generator: how much of the class is left, and whether the rest is as good as it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lightning_unlearn.audit._generator_images import Sample, batches_of_images, image_grid
from lightning_unlearn.audit._generator_records import metric_record, share
from lightning_unlearn.audit._generator_tests import (
    below_prior,
    distance_above_references,
    fraction_above_references,
)
from lightning_unlearn.audit._independence import check_independent
from lightning_unlearn.audit._report import Estimate, MetricRecord, TestRecord
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.metrics import (
    ClassFraction,
    FrechetDistance,
    GeneratorPrecision,
    GeneratorRecall,
    KernelDistance,
)
from lightning_unlearn.metrics._extractor import Extractor
from lightning_unlearn.metrics.functional import (
    frechet_distance,
    generator_precision,
    generator_recall,
    jackknife_interval,
)
from lightning_unlearn.metrics.functional._kernel_jackknife import kernel_distance_and_interval

BLOCKS = 10  # of the jackknife


@dataclass(frozen=True)
class GeneratorQuestions:
    """What is asked of every generator.

    Attributes:
        sample: function of (module, n, generator) that returns n images (n, C, H, W); it draws its random numbers from the
            generator, on the CPU, so that every model is given the same.
        classifier: maps images to logits; none that any model was trained with.
        classifier_name: what to call it.
        forget_class: its index of the forgotten class.
        prior: share of that class in the training data, between 0 and 1.
        retained: batches of real retained images, as the sampled ones are: tensors, or sequences whose first element is one.
        feature_extractor: for the distances; `None` for none of them.
        extractor_name: what to call it; `None` for `InceptionFeatures`.
        samples: how many images of each model.
        batch_size: how many at once.
        seed: of the random numbers.
        level: of the tests, one at a time.
        confidence: of the intervals.
        shown: how many images of each model are shown.
    """

    sample: Sample
    classifier: nn.Module
    classifier_name: str
    forget_class: int
    prior: float
    retained: Iterable[Any]
    feature_extractor: nn.Module | None = None
    extractor_name: str | None = None
    samples: int = 5000
    batch_size: int = 250
    seed: int = 0
    level: float = 0.05
    confidence: float = 0.95
    shown: int = 10

    def __post_init__(self) -> None:
        fit = {
            "`prior` must be between 0 and 1": (0 < self.prior < 1, self.prior),
            "`level` must be between 0 and 1": (0 < self.level < 1, self.level),
            "`confidence` must be between 0 and 1": (0 < self.confidence < 1, self.confidence),
            f"`samples` must be at least {2 * BLOCKS}": (self.samples >= 2 * BLOCKS, self.samples),
            "`batch_size` must be at least 1": (self.batch_size >= 1, self.batch_size),
            "`shown` must be between 1 and `batch_size`": (1 <= self.shown <= self.batch_size, self.shown),
        }
        wrong = [f"{rule}, found {value}. Change it." for rule, (holds, value) in fit.items() if not holds]
        if wrong:
            raise ConfigurationError("\n".join(wrong))


@dataclass(frozen=True)
class GeneratorFindings:
    """What was found, for the report.

    Attributes:
        metrics: every metric for every model.
        tests: of the unlearned model and its variants; not corrected for their number.
        control: the same of the original.
        images: for `Curves.images`: by title, `png` (base64) and `description`.
        false_alarms: share of the real retained images that the classifier takes for the class.
    """

    metrics: Sequence[MetricRecord]
    tests: Sequence[TestRecord]
    control: Sequence[TestRecord]
    images: Mapping[str, Mapping[str, str]]
    false_alarms: Estimate


def audit_generators(
    models: Mapping[str, nn.Module], questions: GeneratorQuestions, *, used_in_training: Iterable[Any] = ()
) -> GeneratorFindings:
    """Evaluate every generator on the same random numbers; images exist one batch at a time, features are kept.

    Args:
        models: by name, as in `ModelRecord`: `original`, `unlearned`, `reference 1`, …, variants.
        questions: what is asked.
        used_in_training: strategy, objective, modules; see :func:`check_independent`. The models are looked into anyway.

    Raises:
        ConfigurationError: there is no model; the classifier was a training signal; `sample` or `retained` do not give
            images.
        ValueError: a network has no name, or what it returns does not fit.
    """
    if not models:
        raise ConfigurationError("`models` must hold at least one generator, found none. Pass them by name.")
    check_independent(questions.classifier, *models.values(), *used_in_training)
    ask = questions
    extractor = None
    if ask.feature_extractor is not None:
        extractor = Extractor(ask.feature_extractor, ask.extractor_name)
    alarms, real = _seen(_real(ask.retained), ask, extractor)
    if alarms.count < 2 * BLOCKS:
        raise ConfigurationError(
            f"`retained` must have at least {2 * BLOCKS} images, found {int(alarms.count)}. Pass more, best as many as `samples`."
        )
    counts: dict[str, int] = {}
    shown: dict[str, Tensor] = {}
    distances: dict[str, dict[str, Estimate]] = {}
    for name, module in models.items():
        images = batches_of_images(ask.sample, module, ask.samples, ask.batch_size, ask.seed)
        fraction, features = _seen(images, ask, extractor, shown=shown, name=name)
        counts[name] = int(fraction.hits)
        if features is not None and real is not None:
            distances[name] = _fidelity(features, real, ask.confidence)
    of_fraction = {name: share(hits, ask.samples, ask.confidence) for name, hits in counts.items()}
    metrics = [metric_record(alarms, "forget", of_fraction, ask.confidence)]
    for kind in (FrechetDistance, KernelDistance, GeneratorPrecision, GeneratorRecall):
        if distances and ask.feature_extractor is not None:
            metric = kind(ask.feature_extractor, ask.extractor_name)
            values = {name: found[kind.__name__] for name, found in distances.items()}
            metrics.append(metric_record(metric, "retain", values, ask.confidence))
    rate = float(alarms.compute())
    tests = _tests(counts, metrics[1:2], ask, rate)
    return GeneratorFindings(
        metrics=metrics,
        tests=[test for test in tests if test.model != "original"],
        control=[test for test in tests if test.model == "original"],
        images={"Images from the same random numbers": _figure(shown)},
        false_alarms=share(int(alarms.hits), int(alarms.count), ask.confidence),
    )


def _real(batches: Iterable[Any]) -> Iterable[Tensor]:
    for batch in batches:
        images = batch[0] if isinstance(batch, Sequence) and batch else batch
        if not isinstance(images, Tensor):
            raise ConfigurationError(
                f"`retained` must give batches of images, found {type(images).__name__}. Pass tensors, or sequences whose first "
                "element is one."
            )
        yield images


def _seen(
    batches: Iterable[Tensor],
    ask: GeneratorQuestions,
    extractor: Extractor | None,
    *,
    shown: dict[str, Tensor] | None = None,
    name: str = "",
) -> tuple[ClassFraction, Tensor | None]:
    """One pass: how many are of the class, and the features of all; the first few images into `shown`."""
    fraction = ClassFraction(ask.classifier, ask.forget_class, ask.classifier_name)
    features = []
    for images in batches:
        fraction.update(images)
        if extractor is not None:
            features.append(extractor(images).cpu())
        if shown is not None:
            shown.setdefault(name, images[: ask.shown].cpu().clone())
    return fraction, torch.cat(features) if features else None


def _fidelity(features: Tensor, real: Tensor, confidence: float) -> dict[str, Estimate]:
    distance = partial(frechet_distance, reference_features=real)
    bounds = jackknife_interval(distance, features, level=confidence, blocks=BLOCKS)
    kernel = kernel_distance_and_interval(features, real, level=confidence, blocks=BLOCKS)
    precision, recall = generator_precision(features, real), generator_recall(features, real)
    return {
        "FrechetDistance": Estimate(float(distance(features)), *map(float, bounds)),
        "KernelDistance": Estimate(*map(float, kernel)),
        "GeneratorPrecision": share(round(float(precision) * len(features)), len(features), confidence),
        "GeneratorRecall": share(round(float(recall) * len(real)), len(real), confidence),
    }


def _figure(shown: Mapping[str, Tensor]) -> dict[str, str]:
    columns = max(len(images) for images in shown.values())
    return {
        "png": image_grid(shown),
        "description": f"{columns} images of each model, one row for each: {', '.join(shown)}. A column has what the models make "
        "of the same random numbers.",
    }


def _tests(
    counts: Mapping[str, int], frechet: Sequence[MetricRecord], ask: GeneratorQuestions, false_alarms: float
) -> list[TestRecord]:
    references = [name for name in counts if name.startswith("reference")]
    found = []
    for name in counts:
        if name in references:
            continue
        found.append(below_prior(name, counts[name], ask.samples, ask.prior, ask.level, false_alarms))
        if references:
            of_references = [counts[reference] for reference in references]
            found.append(fraction_above_references(name, counts[name], ask.samples, of_references, ask.level))
        for record in frechet if references else ():
            others = [record.values[reference] for reference in references]
            found.append(
                distance_above_references(
                    record.name, name, record.values[name], others, BLOCKS - 1, ask.confidence, ask.level
                )
            )
    return found
