"""All that is asked of a comparison, checked as far as no data are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from lightning_unlearn._checks import positive_int
from lightning_unlearn.compare._predict import predict_of
from lightning_unlearn.compare._request import Request, requests_of
from lightning_unlearn.compare._seeds import Seeds, seeds_of
from lightning_unlearn.compare._training import check_model, check_sections
from lightning_unlearn.errors import ConfigurationError


@dataclass(frozen=True)
class Comparison:
    """What is compared, and how it is run.

    Attributes:
        training: sections of LightningCLI: how an original is trained.
        requests: what is forgotten, and how it is tried.
        seeds: of everything.
        originals: checkpoints of models that are there already, in place of training some; their seeds are 0, 1, ...
        processes: how many run beside one another; `None` for as many as there are cores.
        threads: of torch in each process.
        output: folder for models, cells and reports.
        predict: import path; `None` for the usual way.
        attack_samples: see :func:`evaluate`.
        data_key: a name for the data, which are then not read for the keys.
    """

    training: Namespace
    requests: Sequence[Request]
    seeds: Seeds
    originals: Sequence[Path]
    processes: int | None
    threads: int
    output: Path
    predict: str | None
    attack_samples: int | None
    data_key: str | None


def comparison_of(config: Namespace) -> Comparison:
    """The comparison of a configuration.

    Raises:
        ConfigurationError: something does not fit.
    """
    check_sections(config)
    requests = requests_of(plain(config.requests), config.strategies)
    for request in requests:
        for settings in request.settings:
            check_model(config, settings.model, f"`model` in the settings of the request {request.name!r},")
    originals = [Path(path) for path in _listed(config.original)]
    seeds = seeds_of(
        _count_of(originals, config.original_seeds),
        config.unlearning_seeds,
        config.evaluation_seeds,
        config.reference_seeds,
    )
    positive_int("threads", config.threads)
    for name in ("processes", "attack_samples"):
        if config[name] is not None:
            positive_int(name, config[name])
    predict_of(config.predict)
    return Comparison(
        config,
        requests,
        seeds,
        originals,
        config.processes,
        config.threads,
        config.output,
        config.predict,
        config.attack_samples,
        config.data_key,
    )


def _listed(given: Any) -> list[str]:
    return [given] if isinstance(given, str) else given or []


def plain(value: Any) -> Any:
    """Without namespaces, into which jsonargparse turns whatever has a `class_path`."""
    if isinstance(value, Namespace):
        value = vars(value)
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def _count_of(originals: Sequence[Path], given: Any) -> Any:
    """Originals that are there are numbered."""
    if not originals:
        return 3 if given is None else given
    if given is not None:
        raise ConfigurationError(
            f"`original_seeds` must be left out where `original` names models that are there, found {given}. They are "
            "numbered from 0."
        )
    return list(range(len(originals)))
