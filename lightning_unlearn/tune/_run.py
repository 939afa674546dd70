"""A search, from what is asked to its trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console

from lightning_unlearn._files import alone_in, prepare_folder
from lightning_unlearn.compare._cell import versions
from lightning_unlearn.compare._ground import grounds_of
from lightning_unlearn.compare._job import CellJob
from lightning_unlearn.compare._models import train_missing, untrained
from lightning_unlearn.compare._run import left_out
from lightning_unlearn.errors import ConfigurationError, UnlearningError
from lightning_unlearn.processes import Overview, Pool, default_processes
from lightning_unlearn.rendering import slug, to_plain
from lightning_unlearn.tune._asked import Asked
from lightning_unlearn.tune._distance import failed, trial_of
from lightning_unlearn.tune._evaluate import Evaluator
from lightning_unlearn.tune._parameters import inside
from lightning_unlearn.tune._propose import propose
from lightning_unlearn.tune._record import read_search, write_search
from lightning_unlearn.tune._search import Search
from lightning_unlearn.tune._trial import Trial
from lightning_unlearn.tune._work import Standard, Work, standard_of


def run(asked: Asked, messages: Console) -> tuple[Search, Path]:
    """Train what is missing, and try until there are as many trials as are asked for.

    Args:
        asked: what is searched.
        messages: where is said and shown how far it is.

    Returns:
        The search, and its folder.

    Raises:
        ConfigurationError: something does not fit; nothing has been trained then.
        UnlearningError: a model could not be trained or measured, or a file not be written.
    """
    output = prepare_folder(asked.comparison.output)
    with alone_in(output):
        return _searched(asked, output, messages)


def _searched(asked: Asked, output: Path, messages: Console) -> tuple[Search, Path]:
    models, cells = prepare_folder(output / "models"), prepare_folder(output / "cells")
    [ground] = grounds_of(asked.comparison, models)
    work = Work(ground, cells)
    about = to_plain({**asked.to_plain(), "digests": work.digests, "versions": versions()}, Any, "search")
    folder = prepare_folder(output / slug(f"{asked.strategy} {asked.request}"))
    before = read_search(folder, about)
    trials = [] if before is None else list(before.trials)
    for sentence in left_out([ground]):
        messages.print(sentence, highlight=False, markup=False, soft_wrap=True)
    if trials:
        messages.print(f"{len(trials)} of {asked.trials} trials are there already.", highlight=False)
    if before is not None and len(trials) >= asked.trials:
        return before, folder
    seeds = asked.comparison.seeds
    missing = (asked.trials - len(trials)) * len(seeds.original) * len(seeds.unlearning)
    default = default_processes(asked.comparison.threads) if ground.retain.on_cpu else 1
    processes = asked.comparison.processes or default
    with Overview(messages, len(untrained(work.models)) + len(work.base) + missing) as overview:
        failures = train_missing(work.models, processes, overview)
        if failures:
            raise UnlearningError(
                f"All models must be trained, found {len(failures)} that could not be. The first: "
                f"{next(iter(failures.values()))}"
            )
        with Pool(processes, reuse=True) as pool:
            evaluate = Evaluator(pool, overview)
            standard = standard_of(work, evaluate)
            search = Search(about, standard.baseline, inside(asked.parameters, asked.defaults), trials)
            while len(search.trials) < asked.trials:
                lot = _tried(asked, work, standard, evaluate, search.trials)
                search = replace(search, trials=[*search.trials, *lot])
                write_search(folder, search)
    return search, folder


def _tried(
    asked: Asked, work: Work, standard: Standard, evaluate: Evaluator, trials: Sequence[Trial]
) -> Sequence[Trial]:
    """The next trials that do not know of one another; of a lot that was cut, those that are left."""
    first = len(trials) - len(trials) % asked.at_once
    numbers = range(len(trials), min(first + asked.at_once, asked.trials))
    chosen = [trial.values for trial in trials[first:]]
    jobs, refused = dict[int, list[CellJob]](), dict[int, str]()
    for number in numbers:
        values = _values(asked, trials[:first], chosen, number)
        chosen.append(values)
        try:
            [entry] = asked.subject.with_values({} if number == 0 else values).entries
        except ConfigurationError as error:  # of values that do not go together
            refused[number] = str(error)
        else:
            jobs[number] = work.trial(number, entry)
    cells = iter(evaluate([job for of_trial in jobs.values() for job in of_trial]))
    made = []
    for number in numbers:
        values = chosen[number - first]
        if number in refused:
            made.append(failed(number, values, refused[number]))
        else:
            lot = list(islice(cells, len(jobs[number])))
            made.append(
                trial_of(number, values, lot, standard.originals, standard.distance, asked.retain_floor)
            )
    return made


def _values(
    asked: Asked, trials: Sequence[Trial], waiting: Sequence[Mapping[str, Any]], number: int
) -> Mapping[str, Any]:
    if number == 0:
        return asked.defaults
    known = [trial for trial in trials if inside(asked.parameters, trial.values)]
    unknown = [values for values in waiting if inside(asked.parameters, values)]
    return propose(asked.parameters, known, asked.seed, number, unknown)
