"""All that is asked of a search, checked as far as no data are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from lightning_unlearn._checks import fraction, non_negative_int, positive_int
from lightning_unlearn.compare._classes import class_of, path_of
from lightning_unlearn.compare._comparison import Comparison, comparison_of, plain
from lightning_unlearn.compare._names import did_you_mean
from lightning_unlearn.compare._spoken import spoken
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.strategies import UnlearningStrategy
from lightning_unlearn.tune._names import value_of
from lightning_unlearn.tune._parameters import Parameter, parameters_of
from lightning_unlearn.tune._space import Space, space_of
from lightning_unlearn.tune._space_files import packaged_space, space_from
from lightning_unlearn.tune._subject import Subject

_LR = "model.lr"


@dataclass(frozen=True)
class Asked:
    """What is searched, and how.

    Attributes:
        comparison: of the one request with the one strategy: how its cells are made.
        subject: the same in plain values.
        parameters: what is varied.
        trials: how many, ≥ 1.
        at_once: how many of them do not know of one another, ≥ 1.
        retain_floor: share of the original's retain accuracy that must be left, in [0, 1].
        seed: of what is tried, ≥ 0.
    """

    comparison: Comparison
    subject: Subject
    parameters: Sequence[Parameter]
    trials: int
    at_once: int
    retain_floor: float
    seed: int

    @property
    def defaults(self) -> dict[str, Any]:
        """What the parameters are without a search."""
        complete = self.subject.complete({})
        return {parameter.name: value_of(complete, parameter.name) for parameter in self.parameters}

    @property
    def request(self) -> str:
        """The name of what is forgotten."""
        return str(self.subject.request["name"])

    @property
    def strategy(self) -> str:
        """The name of the class."""
        return str(self.subject.entry["strategy"]["class_path"]).rpartition(".")[2]

    def to_plain(self) -> dict[str, Any]:
        """What the trials depend on, but for the data."""
        return {
            "request": {name: self.subject.request.get(name) for name in ("name", "forget", "settings")},
            "entry": dict(self.subject.entry),
            "space": [asdict(parameter) for parameter in self.parameters],
            "retain_floor": self.retain_floor,
            "search_seed": self.seed,
            "at_once": self.at_once,
            "seeds": asdict(self.comparison.seeds),
            "predict": self.comparison.predict,
        }


def asked_of(config: Namespace) -> Asked:
    """The search of a configuration.

    Raises:
        ConfigurationError: something does not fit.
    """
    request = _request(plain(config.requests), config.request)
    entry = _entry(plain(config.strategy), plain(config.settings))
    config = config.clone()
    config.requests, config.strategies = [{**request, "entries": [entry]}], None
    comparison = comparison_of(config)
    subject = Subject(config, request, entry)
    return Asked(
        comparison,
        subject,
        parameters_of(_space(plain(config.space), subject), subject),
        positive_int("trials", config.trials),
        positive_int("at_once", config.at_once),
        fraction("retain_floor", config.retain_floor),
        non_negative_int("search_seed", config.search_seed),
    )


def _request(requests: Any, name: str | None) -> Mapping[str, Any]:
    named = {one.get("name"): one for one in requests or () if isinstance(one, Mapping)}
    if name is None and len(named) == 1:
        name = next(iter(named))
    if name not in named:
        there = [str(one) for one in named]
        remedy = did_you_mean(name or "", there) if there else "Write `requests` into the configuration."
        raise ConfigurationError(
            f"`request` must be the name of one of the `requests`, found {name!r}. {remedy} A task of the package is searched "
            "on other requests than those that a comparison of it reports."
        )
    return {key: value for key, value in named[name].items() if key != "entries"}


def _entry(strategy: Any, settings: Any) -> dict[str, Any]:
    if not strategy:
        raise ConfigurationError(
            "`strategy` must be a class, found none. Pass for instance `--strategy SFRon`."
        )
    given = dict(spoken(strategy) if isinstance(strategy, str) else strategy)
    cls = class_of(given.pop("class_path", None), UnlearningStrategy, "`strategy`")
    arguments = dict(given.pop("init_args", None) or {})
    # from a command line, what stands below `strategy` are its arguments, with or without `init_args` between them
    return {
        "strategy": {"class_path": path_of(cls), "init_args": {**arguments, **given}},
        "settings": dict(settings or {}),
    }


def _space(given: Any, subject: Subject) -> Space:
    if isinstance(given, str):
        return space_from(Path(given))
    if given is not None:
        return space_of(given, "the configuration")
    cls = class_of(subject.entry["strategy"]["class_path"], UnlearningStrategy, "`strategy`")
    space = dict(packaged_space(cls))
    lr = value_of(subject.complete({}), _LR)
    if not isinstance(lr, float | int) or not lr > 0:  # a module that says otherwise how fast it learns
        space.pop(_LR, None)
    if not space:
        raise ConfigurationError(
            f"The search space must name at least one thing to vary, found nothing: that of {cls.__name__} is the learning rate, "
            "and the module has no argument `lr` above 0. Pass `--space`, a file of what is varied."
        )
    return space
