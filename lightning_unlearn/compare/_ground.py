"""A request with its data and models, looked at once, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_unlearn.audit._sides import loaders_of
from lightning_unlearn.compare._cell import Cell, Kind
from lightning_unlearn.compare._comparison import Comparison, plain
from lightning_unlearn.compare._job import CellJob
from lightning_unlearn.compare._models import Model, given, trained
from lightning_unlearn.compare._request import Request, Strategy
from lightning_unlearn.compare._settings import Settings
from lightning_unlearn.compare._sources import of_strategy, of_training
from lightning_unlearn.compare._training import Training
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.reference import data_digest
from lightning_unlearn.reference._description import canonical
from lightning_unlearn.reference._known import Known, known_of
from lightning_unlearn.reference._prepare import Prepared, prepare
from lightning_unlearn.reference._repeatable import fixed_streams


@dataclass(frozen=True)
class Planned:
    """A cell, and the model that it needs."""

    job: CellJob
    model: Model


@dataclass(frozen=True)
class Ground:
    """What the cells of a request stand on.

    Attributes:
        comparison: that it belongs to.
        request: what is forgotten.
        originals: one for each seed.
        references: one for each seed.
        retain: what has been found out about the retain set and the training.
        forget: the forget set.
        depends_on: digests of what the numbers of each cell depend on.
    """

    comparison: Comparison
    request: Request
    originals: Sequence[Model]
    references: Sequence[Model]
    retain: Prepared
    forget: Known
    depends_on: Mapping[str, Any]

    def cell(
        self,
        folder: Path,
        model: Model,
        kind: Kind,
        entry: str,
        strategy: Strategy | None = None,
        settings: Settings | None = None,
        seed: int | None = None,
    ) -> Planned:
        """A cell, and the model that it starts from or is.

        Args:
            folder: for its file.
            model: one of the originals, or of the references for `"retraining"`.
            kind: what it is.
            entry: what it is called.
            strategy: how it unlearns, if it does.
            settings: while it does.
            seed: of the unlearning.
        """
        original, reference = (None, model.seed) if kind == "retraining" else (model.seed, None)
        depends_on = {**self.depends_on, "model": model.key}
        depends_on["sources"] = self.depends_on["sources"] | of_strategy(strategy)
        seeds = (original, seed, reference, self.comparison.seeds.evaluation)
        cell = Cell(self.request.name, entry, kind, strategy, settings, *seeds, depends_on)
        retain, comparison = self.retain, self.comparison
        sides = {"retain": retain.retain, "forget": self.forget}
        measured = (sides, comparison.predict, comparison.attack_samples)
        return Planned(CellJob(cell, retain.recipe, model.path, *measured, folder, comparison.threads), model)


def grounds_of(comparison: Comparison, models: Path) -> list[Ground]:
    """Look at the data, the module and the Trainer, once for everything and once for each request.

    Args:
        comparison: what is compared.
        models: folder for those that are trained.

    Raises:
        ConfigurationError: data, module, Trainer or a request do not fit.
    """
    seeds, everything = comparison.seeds, Training(comparison.training, None)
    prepared = prepare(everything, comparison.data_key)
    if comparison.originals:
        originals = given(comparison.originals, everything)
    else:
        originals = trained(prepared, seeds.original, models, comparison.threads, "original")
    test = _test_digest(everything, comparison.data_key)
    grounds = []
    for request in comparison.requests:
        own = Training(comparison.training, request.forget)
        for settings in request.settings:
            with fixed_streams():
                own.unlearning(settings.max_steps, settings.model).module()  # it knows the ranges
        retain, forget = prepare(own, comparison.data_key), _forget(own, request, comparison)
        name = f"{request.name}, retraining"
        references = trained(retain, seeds.reference, models, comparison.threads, name)
        depends_on = {
            "retain": retain.retain.digest,
            "forget": forget.digest,
            "test": test,
            "training": retain.config,
            "sources": of_training(comparison),
            "batches": _batches(comparison),
            "predict": comparison.predict,
            "attack_samples": comparison.attack_samples,
        }
        grounds.append(Ground(comparison, request, originals, references, retain, forget, depends_on))
    return grounds


def _batches(comparison: Comparison) -> dict[str, Any]:
    """What says how the batches of an unlearning are made, but not those of a training."""
    arguments = comparison.training.data.get("init_args")
    names = () if arguments is None else ("epoch", "forget_batch_size")
    return {name: arguments.get(name) for name in names}


def _forget(training: Training, request: Request, comparison: Comparison) -> Known:
    with fixed_streams():
        data = training.data()
        loaders = loaders_of(data, 1)
    if data.forget_indices is None and not comparison.originals:
        raise ConfigurationError(
            f"The forget set of the request {request.name!r} must be part of the training data where originals are trained, found a "
            "data set of its own, of which an original would have seen nothing. Name its samples by `forget_class`, a mask or "
            "indices, or pass `original`, models that were trained on both."
        )
    key = comparison.data_key
    name = None if key is None else canonical(["data_key", key, plain(request.forget)])
    return known_of(loaders["forget"].dataset, name)


def _test_digest(training: Training, data_key: str | None) -> str:
    with fixed_streams():
        loaders = loaders_of(training.data(), 1)
    if "test" not in loaders:
        raise ConfigurationError(
            "`data` must have test data, found none. An `UnlearningDataModule` takes `test`; another data module needs a "
            "`test_dataloader`."
        )
    return data_key or data_digest(loaders["test"].dataset)
