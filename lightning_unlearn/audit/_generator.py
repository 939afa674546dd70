"""The audit of a generator: from models and data to a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule
from lightning.pytorch.loggers import Logger
from rich.console import Console
from torch import nn

from lightning_unlearn.audit._environment import environment
from lightning_unlearn.audit._frame import Frame
from lightning_unlearn.audit._generator_bounds import beside_prior, generator_on_its_own
from lightning_unlearn.audit._generator_evidence import GeneratorEvidence
from lightning_unlearn.audit._generator_images import Sample
from lightning_unlearn.audit._generator_measure import GeneratorMeasurement
from lightning_unlearn.audit._generator_options import GeneratorOptions, PerSample
from lightning_unlearn.audit._generator_records import generator_records
from lightning_unlearn.audit._generator_tests import generator_against_references
from lightning_unlearn.audit._generator_verdict import decide_generator
from lightning_unlearn.audit._generator_words import generator_attacks, generator_cannot_know
from lightning_unlearn.audit._identity import Identify
from lightning_unlearn.audit._independence import check_independent
from lightning_unlearn.audit._loading import Weights
from lightning_unlearn.audit._models import Models
from lightning_unlearn.audit._progress import AuditProgress
from lightning_unlearn.audit._report import AuditReport, Curves, TestRecord, Verdict
from lightning_unlearn.audit._sides import Data


def audit_generator(
    module: LightningModule,
    data: Data,
    *,
    original: Weights,
    unlearned: Weights,
    references: Sequence[Weights] = (),
    sample: Sample,
    classifier: nn.Module,
    classifier_name: str,
    forget_class: int,
    used_in_training: Iterable[Any] = (),
    feature_extractor: nn.Module | None = None,
    extractor_name: str | None = None,
    losses: Mapping[str, PerSample] | None = None,
    likelihoods: Mapping[str, PerSample] | None = None,
    prior: float | None = None,
    output: str | Path | None = None,
    level: float = 0.05,
    samples: int = 5000,
    batch_size: int = 250,
    bits: Sequence[int] = (8, 4),
    shown: int = 10,
    identify: Identify | None = None,
    accelerator: str = "auto",
    seed: int = 0,
    loggers: Iterable[Logger] = (),
    progress: bool = True,
    console: Console | None = None,
) -> AuditReport:
    """Whether an unlearned generator can be told from one that was retrained without the class that it should forget.

    A classifier that no model was trained with counts how often the class is made, as the weights are and rounded to few
    bits; the other images are compared with real retained ones by their features; `losses` and `likelihoods` say how well
    the models explain the samples of each side. With two references or more, each of these numbers of the unlearned model is
    compared with theirs by Student's t for one more observation, corrected for the number of tests (Holm); the same is done
    to the original: if it cannot be told from the references, nothing is concluded.

    That the class is made less often than the data have it is necessary, and no test of a retrained model: a bound beside the
    tests. Without references, or with one, there are bounds only, also against the original, and the verdict is never
    `forgotten`. `collapsed` begins half of the way from the images of references to a generator that makes one image only.

    Source: the fraction of the class is from Fan et al., "SalUn", ICLR 2024; its bound by the prior, the comparison with the
    spread of references and the control are ours.

    Args:
        module: gives the architecture, and the transfer hooks; its own weights do not matter, and it stays as it is.
        data: an `UnlearningDataModule`, or data sets or loaders by name: `forget`, `retain`, and if there are any `test` and
            `unseen`; batches are images (N, C, H, W) and labels (N,), and what `losses` take. Without augmentation.
        original: weights before unlearning: a checkpoint, a state dict, or a module.
        unlearned: weights to be judged.
        references: weights of models retrained without the class, with different seeds; three or more see more than two.
        sample: function of (module, n, generator) that returns n images as the data are; it draws its random numbers from
            the generator, on the CPU, so that every model is given the same.
        classifier: maps images to logits; none that any model was trained with. It stays on its device.
        classifier_name: what to call it.
        forget_class: the class, as the classifier and the labels number it.
        used_in_training: what the unlearning was done with: strategy, objective, modules; the classifier must not be in it.
        feature_extractor: network in whose features images are compared, for instance `InceptionFeatures`; `None` for the
            classifier's logits.
        extractor_name: what to call it; `None` for `InceptionFeatures`, which has its name.
        losses: by name, functions of (module, batch) that return one number for each sample, small if the model explains it
            well: an error of reconstruction.
        likelihoods: the same, large if the model explains it well: an ELBO.
        prior: share of the class in the training data; `None` to count it in the forget and the retain set.
        output: folder for `report.json`, `report.md` and `report.html`.
        level: largest probability of a false alarm, in (0, 0.5).
        samples: images of each model, and at most so many real ones of each side.
        batch_size: of images, and for sides that are data sets without a loader.
        bits: numbers of bits, 2 to 16, to which weights are rounded to see whether the class comes back.
        shown: images of each model in the report.
        identify: function of a batch that returns an identifier for each sample; `None` for the SHA-256 of its content.
        accelerator: where to compute, as the Trainer's: `auto`, `cpu`, `gpu`, ...
        seed: of whatever is drawn.
        loggers: TensorBoard and Weights & Biases get the figures: `trainer.loggers`.
        progress: whether to show a progress bar, on standard error.
        console: where else to show it.

    Returns:
        The report, which has also been written if there is an `output`.

    Raises:
        ConfigurationError: a model, a side or an argument does not fit, or the classifier was a training signal; before
            anything is written.

    Example:
        >>> import lightning as L, torch
        >>> from torch.utils.data import TensorDataset
        >>> from lightning_unlearn.audit import audit_generator
        >>> class Decoder(L.LightningModule):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.layer = torch.nn.Linear(4, 4)
        ...     def forward(self, latents):
        ...         return self.layer(latents).sigmoid().view(-1, 1, 2, 2)
        >>> def sample(module, count, generator):
        ...     return module(torch.randn(count, 4, generator=generator))
        >>> images, labels = torch.rand(90, 1, 2, 2), torch.arange(90) % 3
        >>> sides = {"forget": labels == 1, "retain": labels != 1}
        >>> data = {name: TensorDataset(images[of], labels[of]) for name, of in sides.items()}
        >>> trained = Decoder()
        >>> report = audit_generator(
        ...     trained, data, original=trained, unlearned=trained, sample=sample, samples=100, progress=False,
        ...     classifier=torch.nn.Flatten(), classifier_name="brightest pixel", forget_class=1,
        ... )  # fmt: skip
        >>> report.verdict.name, report.verdict.reasons[0]
        ('not forgotten', 'Its weights are those of the original: nothing was done.')
    """
    options = GeneratorOptions(
        sample, classifier, classifier_name, forget_class, feature_extractor, extractor_name, losses or {},
        likelihoods or {}, prior, level, samples, batch_size, bits, shown, identify, accelerator, seed,
    )  # fmt: skip
    frame = Frame(
        module,
        data,
        original,
        unlearned,
        references,
        output=output,
        batch_size=batch_size,
        accelerator=accelerator,
    )
    check_independent(classifier, module, *frame.models.modules.values(), *used_in_training)
    models = frame.prepare()
    measure = GeneratorMeasurement(models.modules, frame.loaders, options)
    with AuditProgress(measure.batches(), show=progress, console=console) as bar:
        evidence = measure(bar)
        bar.say("metrics")
        report = _report(models, evidence, options, frame)
    frame.hand_out(report, loggers)
    return report


def judge_generator(
    models: Models, evidence: GeneratorEvidence, options: GeneratorOptions
) -> tuple[Verdict, list[TestRecord], list[TestRecord]]:
    """The verdict, the tests of the unlearned model, and those of the original."""
    tests, control = (_tests(models, evidence, options, name) for name in ("unlearned", "original"))
    verdict = decide_generator(
        tests,
        control,
        evidence,
        models.references,
        level=options.level,
        unchanged=models.unchanged,
        cannot_know=generator_cannot_know(evidence, options, len(models.references)),
    )
    return verdict, tests, control


def _tests(
    models: Models, evidence: GeneratorEvidence, options: GeneratorOptions, model: str
) -> list[TestRecord]:
    references, level = models.references, options.level
    found = beside_prior(evidence, model, references, level)
    if len(references) >= 2:
        return found + generator_against_references(evidence, model, references, level)
    baseline = references[0] if references else "original"
    return found + generator_on_its_own(evidence, model, baseline, level)


def _report(
    models: Models, evidence: GeneratorEvidence, options: GeneratorOptions, frame: Frame
) -> AuditReport:
    verdict, tests, control = judge_generator(models, evidence, options)
    return AuditReport(
        verdict=verdict,
        request={"kind": "generator", "classes": [options.forget_class], "prior": evidence.prior},
        sides=evidence.sides,
        models=models.records,
        metrics=generator_records(evidence, options, models.references),
        tests=tests,
        control=control,
        attacks=generator_attacks(evidence),
        curves=Curves(images=evidence.images),
        configuration=options.configuration(),
        environment=environment(frame.device),
        made=frame.made(),
    )
