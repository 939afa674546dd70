"""The audit: from models and data to a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from lightning.pytorch import LightningModule
from lightning.pytorch.loggers import Logger
from rich.console import Console

from lightning_unlearn.audit._against_references import against_references
from lightning_unlearn.audit._curves import curves
from lightning_unlearn.audit._derived import derived_records
from lightning_unlearn.audit._digests import identifiers_digest
from lightning_unlearn.audit._environment import environment
from lightning_unlearn.audit._frame import Frame
from lightning_unlearn.audit._identity import Identify
from lightning_unlearn.audit._loading import Weights
from lightning_unlearn.audit._measure import Measurement
from lightning_unlearn.audit._metrics import metric_records
from lightning_unlearn.audit._models import Models
from lightning_unlearn.audit._numbers import Evidence, accuracy
from lightning_unlearn.audit._on_its_own import on_its_own
from lightning_unlearn.audit._options import Options
from lightning_unlearn.audit._progress import AuditProgress
from lightning_unlearn.audit._report import AuditReport, SideRecord, TestRecord, Verdict
from lightning_unlearn.audit._sides import Data
from lightning_unlearn.audit._stages import Stages
from lightning_unlearn.audit._table import SideScores
from lightning_unlearn.audit._verdict import decide
from lightning_unlearn.audit._words import attacks, cannot_know
from lightning_unlearn.predictions import Predict


def audit(
    module: LightningModule,
    data: Data,
    *,
    original: Weights,
    unlearned: Weights,
    references: Sequence[Weights] = (),
    output: str | Path | None = None,
    level: float = 0.05,
    predict: Predict | None = None,
    identify: Identify | None = None,
    features: str | None = None,
    bits: Sequence[int] = (8, 4),
    benign_epoch: bool = True,
    relearning_steps: int = 30,
    batch_size: int = 512,
    max_features: int = 2000,
    permutations: int = 1999,
    accelerator: str = "auto",
    seed: int = 0,
    loggers: Iterable[Logger] = (),
    progress: bool = True,
    console: Console | None = None,
) -> AuditReport:
    """Whether an unlearned model can be told from one that was retrained without the forget set.

    With two references or more, each number of the unlearned model (how sure it is of the forget set's labels, how much the
    forget set stands out from unseen samples, how good it is elsewhere, how far the forgotten class stands out in its
    features, how soon it learns again, what quantisation or an innocent epoch brings back) is compared with theirs by
    Student's t for one more observation, corrected for the number of tests (Holm): a model that was retrained is called
    `forgotten` with a probability of at least `1 − level`, if numbers of models with different seeds are normal. The same
    tests are done to the original: if they cannot tell even that one from the references, nothing is concluded. More
    references see more: five find what three do not.

    `forgotten` takes three. Without references, or with one, the forget set is compared with unseen samples of its
    kind, by a permutation test; that a class is no longer recognised, and that accuracy was kept, are bounds.

    A *class* is forgotten if no label of the forget set is left in the retain set. Test data of these classes are its unseen
    samples; otherwise all test data are.

    Source: the several parts name theirs. Comparing with the spread of retrained models follows Triantafillou et al., "Are We
    Making Progress in Unlearning?", 2024; the control is ours.

    Args:
        module: gives the architecture, and the transfer hooks; its own weights do not matter, and it stays as it is.
        data: an `UnlearningDataModule`, or data sets or loaders by name: `forget`, `retain`, and if there are any `test` and
            `unseen` (held-out samples of the kind that is forgotten). Without augmentation: samples are known by their content.
        original: weights before unlearning: a checkpoint, a state dict, or a module.
        unlearned: weights to be judged.
        references: weights of models retrained without the forget set, with different seeds.
        output: folder for `report.json`, `report.md` and `report.html`; an interrupted audit goes on from there.
        level: largest probability of a false alarm, in (0, 0.5).
        predict: function of (module, batch) that returns logits (N, C) and labels (N,); `None` for batches
            `(inputs, labels)` and logits `module(inputs)`.
        identify: function of a batch that returns an identifier for each sample; `None` for the SHA-256 of its content.
        features: layer whose input is searched for the forgotten class; `None` for the last linear one.
        bits: numbers of bits, 2 to 16, to which weights are rounded to see whether something comes back.
        benign_epoch: whether to train a copy of each model on the retain set for an epoch, to see the same.
        relearning_steps: steps of training on the forget set to see how soon it is learned again; 0 for none.
        batch_size: for sides that are data sets without a loader.
        max_features: samples of a side whose features are kept.
        permutations: of the permutation test, at least `2 / level`.
        accelerator: where to compute, as the Trainer's: `auto`, `cpu`, `gpu`, ...
        seed: of whatever is drawn.
        loggers: TensorBoard and Weights & Biases get the figures: `trainer.loggers`.
        progress: whether to show a progress bar, on standard error.
        console: where else to show it.

    Returns:
        The report, which has also been written if there is an `output`.

    Raises:
        ConfigurationError: a model, a side or an argument does not fit; before anything is written.

    Example:
        >>> import lightning as L, torch
        >>> from torch.utils.data import TensorDataset
        >>> from lightning_unlearn.audit import audit
        >>> class Net(L.LightningModule):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.layer = torch.nn.Linear(4, 3)
        ...     def forward(self, x):
        ...         return self.layer(x)
        >>> def samples(count):
        ...     return TensorDataset(torch.randn(count, 4), torch.arange(count) % 3)
        >>> data = {"forget": samples(20), "retain": samples(60), "test": samples(30)}
        >>> trained = Net()
        >>> report = audit(trained, data, original=trained, unlearned=trained, progress=False)
        >>> report.verdict.name, report.verdict.reasons[0]
        ('not forgotten', 'Its weights are those of the original: nothing was done.')
    """
    options = Options(
        level, predict, identify, features, bits, benign_epoch, relearning_steps, batch_size,
        max_features, permutations, accelerator, seed,
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
    models = frame.prepare()
    digests = {record.name: record.sha256 for record in models.records}
    stages = Stages(frame.folder, {"models": digests, "options": options.configuration()})
    measure = Measurement(models, frame.loaders, options, stages)
    with AuditProgress(measure.batches(), show=progress, console=console) as bar:
        evidence = measure(bar)
        bar.say("metrics")
        report = _report(models, evidence, options, frame)
    frame.hand_out(report, loggers)
    stages.finish()
    return report


def judge(
    models: Models, evidence: Evidence, options: Options
) -> tuple[Verdict, list[TestRecord], list[TestRecord]]:
    """The verdict, the tests of the unlearned model, and those of the original."""
    tests, control = (_tests(models, evidence, options, name) for name in ("unlearned", "original"))
    return _verdict(models, evidence, options, tests, control), tests, control


def _report(models: Models, evidence: Evidence, options: Options, frame: Frame) -> AuditReport:
    verdict, tests, control = judge(models, evidence, options)
    names = list(models.modules)
    configuration = options.configuration()
    level = 1 - options.level
    return AuditReport(
        verdict=verdict,
        request={
            "kind": "class" if evidence.forgotten_classes else "samples",
            "classes": list(evidence.forgotten_classes),
            "samples": len(evidence.forget),
            "unseen samples": len(evidence.unseen) if evidence.unseen is not None else 0,
        },
        sides=[
            SideRecord(name, len(side), identifiers_digest(side.identifiers))
            for name, side in evidence.given.items()
        ],
        models=models.records,
        metrics=[
            *metric_records(evidence, names, models.references, level=level, seed=options.seed),
            *derived_records(evidence, models.states, models.references, level),
        ],
        tests=tests,
        control=control,
        attacks=attacks(evidence),
        curves=curves(evidence, names),
        configuration=configuration,
        environment=environment(frame.device),
        made=frame.made(),
    )


def _tests(models: Models, evidence: Evidence, options: Options, model: str) -> list[TestRecord]:
    if len(models.references) >= 2:
        return against_references(evidence, model, models.references, options.level)
    return on_its_own(
        evidence,
        model,
        models.references[0] if models.references else "original",
        options.level,
        permutations=options.permutations,
        seed=options.seed,
    )


def _verdict(
    models: Models,
    evidence: Evidence,
    options: Options,
    tests: Sequence[TestRecord],
    control: Sequence[TestRecord],
) -> Verdict:
    kept = [side for side in (evidence.retain, evidence.test) if side is not None]
    baselines = models.references or ["original"]
    answers = all(bool(side.finite["unlearned"].all()) for side in (evidence.forget, *kept))
    return decide(
        tests,
        control,
        level=options.level,
        of_classes=bool(evidence.forgotten_classes),
        references=len(models.references),
        accuracy_lost=max(_lost(side, baselines) for side in kept),
        unchanged=models.unchanged,
        answers=answers,
        cannot_know=cannot_know(evidence, tests, len(models.references), options),
    )


def _lost(side: SideScores, baselines: Sequence[str]) -> float:
    """Share of the accuracy above chance that the baselines have and the unlearned model has not."""
    chance = 1 / side.classes
    before = sum(accuracy(side, name) for name in baselines) / len(baselines)
    return (before - accuracy(side, "unlearned")) / max(before - chance, chance)
