"""Everything that needs a model and data: passes over the sides, treatments, learning again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.seed import isolate_rng
from torch.utils.data import DataLoader

from lightning_unlearn.audit._digests import identifiers_digest
from lightning_unlearn.audit._features import feature_layer
from lightning_unlearn.audit._identity import check_apart
from lightning_unlearn.audit._models import Models
from lightning_unlearn.audit._numbers import Evidence, accuracy, certainty
from lightning_unlearn.audit._options import Options
from lightning_unlearn.audit._progress import AuditProgress
from lightning_unlearn.audit._quantise import quantised
from lightning_unlearn.audit._scoring import Scorer
from lightning_unlearn.audit._sides import Shuffled, half
from lightning_unlearn.audit._stages import Stages
from lightning_unlearn.audit._table import SideScores
from lightning_unlearn.audit._tuning import steps, tuned
from lightning_unlearn.audit._verdict import COLLAPSE
from lightning_unlearn.errors import ConfigurationError

_BATCH = 64  # of either side, when copies are trained
_RELEARNING_SAMPLES = 512
_APART = {"retain": ("forget", "test", "unseen"), "test": ("forget",), "unseen": ("forget",)}

Loaders = Mapping[str, DataLoader[Any]]


class Measurement:
    """Measures the models of an audit.

    Args:
        models: on their device.
        loaders: by side.
        options: of the audit.
        stages: what an interrupted audit has finished.
    """

    def __init__(self, models: Models, loaders: Loaders, options: Options, stages: Stages) -> None:
        self._models, self._loaders, self._options, self._stages = models, loaders, options, stages
        self._layer = feature_layer(models.modules["original"], options.features)
        self._samples = ""  # their digest, once they have been seen

    def batches(self) -> int:
        """How many batches there are, each for all models, or for one model that is treated."""
        forget = len(self._loaders["forget"])
        count = len(self._models.modules)
        total = sum(len(loader) for loader in self._loaders.values())
        total += count * len(self._options.bits) * forget
        total += count * (forget + self._steps_of_epoch()) * self._options.benign_epoch
        return total + count * self._options.relearning_steps

    def __call__(self, progress: AuditProgress) -> Evidence:
        """All of it; random streams begin at the seed, and are put back."""
        with isolate_rng():
            torch.manual_seed(self._options.seed)
            return self._all(progress)

    def _all(self, progress: AuditProgress) -> Evidence:
        sides: dict[str, SideScores] = {}
        for name in sorted(self._loaders, key=lambda name: name == "retain"):  # the largest one last
            progress.say(name)
            sides[name] = self._side(name, sides, progress)
        forget, retain = sides["forget"], sides["retain"]
        self._check_finite(sides)
        self._check_trained(retain)
        self._samples = identifiers_digest(
            [
                *(f"{name} {identifier}" for name, side in sides.items() for identifier in side.identifiers),
                *(hashlib.sha256(rows.tobytes()).hexdigest() for rows in forget.scores.values()),
                *(f"{name} {loader.batch_size}" for name, loader in self._loaders.items()),
            ]
        )
        forgotten = set(forget.labels.tolist()) - set(retain.labels.tolist())
        of_classes = forgotten == set(forget.labels.tolist())
        classes = tuple(sorted(forgotten)) if of_classes else ()
        test, unseen = _held_out(sides.get("test"), sides.get("unseen"), classes)
        return Evidence(
            forget,
            retain,
            test,
            unseen,
            classes,
            self._treated(progress),
            self._relearning(progress, of_classes=of_classes),
            sides,
        )

    def _check_finite(self, sides: Mapping[str, SideScores]) -> None:
        for name in self._models.modules.keys() - {"unlearned"}:
            if not all(side.finite[name].all() for side in sides.values()):
                raise ConfigurationError(
                    f"The answers of {name} must be finite, found some that are not. Nothing can be compared with a model "
                    "whose training has diverged: train it again."
                )

    def _check_trained(self, retain: SideScores) -> None:
        """A reference that knows nothing would make room for anything."""
        shares = {name: accuracy(retain, name) for name in self._models.references}
        chance = 1 / retain.classes
        best = max(shares.values(), default=chance)
        if best - chance < (1 - chance) / 2:  # models that have hardly learned are hardly different
            return
        for name, share in shares.items():
            if best - share > COLLAPSE * (best - chance):
                raise ConfigurationError(
                    f"`references` must be models that were trained alike, found that {name} is right about {share:.1%} of the "
                    f"retain set, another about {best:.1%}. Leave it out, or train it again."
                )

    def _steps_of_epoch(self) -> int:
        return -(-len(self._loaders["retain"].dataset) // _BATCH)  # type: ignore[arg-type]  # `loaders_of` has seen to it

    def _side(self, name: str, others: Mapping[str, SideScores], progress: AuditProgress) -> SideScores:
        apart = {other: set(others[other].identifiers) for other in _APART.get(name, ()) if other in others}

        def check(names: list[str]) -> None:
            for other, known in apart.items():
                check_apart(other, known, name, names)
            progress.step()

        scorer = self._scorer(self._models.modules, self._layer)
        return scorer(name, self._loaders[name], check, compare=name != "retain", keep=True)

    def _scorer(self, models: Mapping[str, LightningModule], layer: str | None) -> Scorer:
        options = self._options
        references = [name for name in self._models.references if name in models]
        return Scorer(models, references, options.predict, options.identify, layer, options.max_features)

    def _treated(self, progress: AuditProgress) -> dict[str, dict[str, SideScores]]:
        treatments: dict[str, tuple[Callable[[LightningModule], LightningModule], int]] = {
            f"with {bits} bits": (partial(quantised, bits=bits), 0) for bits in self._options.bits
        }
        if self._options.benign_epoch:
            epoch = partial(self._after_an_epoch, progress=progress)
            treatments["after an epoch on the retain set"] = epoch, self._steps_of_epoch()
        return {
            treatment: {
                name: self._forgotten(progress, name, treatment, partial(treat, module), work)
                for name, module in self._models.modules.items()
            }
            for treatment, (treat, work) in treatments.items()
        }

    def _forgotten(
        self,
        progress: AuditProgress,
        name: str,
        treatment: str,
        treat: Callable[[], LightningModule],
        work: int,
    ) -> SideScores:
        """Scores of the forget set by a treated model."""
        progress.say(f"{name}, {treatment}")
        stage = f"{name}, {treatment}, {self._samples}"
        known = self._stages.known(stage)
        if known is not None:
            progress.step(work + len(self._loaders["forget"]))
            return SideScores.of_plain(known)
        scorer = self._scorer({name: treat().eval()}, None)
        scores = scorer(
            "forget", self._loaders["forget"], lambda _: progress.step(), compare=False, keep=False
        )
        self._stages.keep(stage, scores.plain())
        return scores

    def _after_an_epoch(self, module: LightningModule, progress: AuditProgress) -> LightningModule:
        retain = self._loaders["retain"]
        batches = Shuffled([(retain, _BATCH)], self._steps_of_epoch(), self._options.seed)
        return tuned(
            module, batches, self._options.predict, seed=self._options.seed, after_step=progress.step
        )

    def _relearning(
        self, progress: AuditProgress, *, of_classes: bool
    ) -> dict[str, tuple[list[float], list[float]]]:
        if not self._options.relearning_steps:
            return {}
        forget, retain = self._loaders["forget"], self._loaders["retain"]
        # a class is learned from one half and asked for in the other; single samples can only be asked for themselves
        learned = half(forget, second=False)
        asked = half(forget, second=True) if of_classes else learned
        batches = Shuffled(
            [(learned, _BATCH), (retain, _BATCH)],
            self._options.relearning_steps,
            self._options.seed,
        )
        return {
            name: self._stages.once(
                f"{name}, learning again, {self._samples}",
                partial(self._curve, name, batches, asked, progress),
            )
            for name in self._models.modules
        }

    def _curve(
        self, name: str, batches: Iterable[Any], asked: DataLoader[Any], progress: AuditProgress
    ) -> tuple[list[float], list[float]]:
        progress.say(f"{name}, learning again")
        few = _first(asked, _RELEARNING_SAMPLES)
        curve: tuple[list[float], list[float]] = ([], [])
        for copy in steps(
            self._models.modules[name], batches, self._options.predict, seed=self._options.seed
        ):
            scores = self._scorer({"again": copy}, None)(
                "forget", few, lambda _: None, compare=False, keep=False
            )
            curve[0].append(certainty(scores, "again") or 0.0)
            curve[1].append(accuracy(scores, "again"))
            progress.step()
        return curve


def _held_out(
    test: SideScores | None, unseen: SideScores | None, classes: tuple[int, ...]
) -> tuple[SideScores | None, SideScores | None]:
    """Test data without the forgotten classes, and unseen samples of the kind that is forgotten."""
    if test is None or not classes:
        return test, unseen if unseen is not None else test
    of_kind = torch.isin(torch.from_numpy(test.labels), torch.tensor(classes)).numpy()
    if unseen is None and of_kind.any():
        unseen = test.where(of_kind)
    return (test.where(~of_kind) if not of_kind.all() else None), unseen


def _first(loader: DataLoader[Any], samples: int) -> list[Any]:
    batches: list[Any] = []
    size = loader.batch_size or 1
    for batch in loader:
        batches.append(batch)
        if len(batches) * size >= samples:
            break
    return batches
