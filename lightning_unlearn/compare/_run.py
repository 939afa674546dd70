"""A comparison, from its configuration to its reports."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from lightning_unlearn._files import alone_in, atomically, prepare_folder
from lightning_unlearn.compare._cell import write_cell
from lightning_unlearn.compare._comparison import Comparison
from lightning_unlearn.compare._ground import Ground, Planned, grounds_of
from lightning_unlearn.compare._job import CellJob
from lightning_unlearn.compare._ledger import Ledger
from lightning_unlearn.compare._models import train_missing, untrained
from lightning_unlearn.compare._plan import cells_of
from lightning_unlearn.compare.report import write_reports
from lightning_unlearn.errors import UnlearningError
from lightning_unlearn.processes import Job, Overview, default_processes, run_all

LIST = "comparison.json"  # which cells are of it
_FORMAT = "lightning-unlearn comparison 1"


def run(comparison: Comparison, console: Console, messages: Console) -> list[Mapping[str, Any]]:
    """Train what is missing, make the cells that are missing, and write the reports.

    Args:
        comparison: what is compared.
        console: where the table is printed.
        messages: where everything else is said and shown.

    Returns:
        The cells, in the order of the configuration; those that failed have an `error`.

    Raises:
        ConfigurationError: something does not fit; nothing has been trained then.
        UnlearningError: a list or a report could not be written.
    """
    folder = prepare_folder(comparison.output)
    with alone_in(folder):
        return _compared(comparison, folder, console, messages)


def _compared(
    comparison: Comparison, folder: Path, console: Console, messages: Console
) -> list[Mapping[str, Any]]:
    models, cells = prepare_folder(folder / "models"), prepare_folder(folder / "cells")
    with messages.status("looking at the data"):
        grounds = grounds_of(comparison, models)
    plan = [planned for ground in grounds for planned in cells_of(ground, cells)]
    ledger = Ledger([planned.job for planned in plan])
    missing = [planned for planned in plan if planned.job.name not in ledger.finished]
    for sentence in (*ledger.said(), *left_out(grounds)):
        messages.print(sentence, highlight=False, markup=False, soft_wrap=True)
    _write_list(folder / LIST, [planned.job.path.name for planned in plan])
    default = default_processes(comparison.threads) if grounds[0].retain.on_cpu else 1
    failures = _made(missing, comparison.processes or default, messages)
    contents = [ledger.finished.get(planned.job.name) or _content(planned.job, failures) for planned in plan]
    write_reports(contents, folder, console, len(plan))
    return contents


def _made(missing: Sequence[Planned], processes: int, messages: Console) -> dict[str, str]:
    """Why cells failed, by name."""
    if not missing:
        return {}
    models = [planned.model for planned in missing]
    with Overview(messages, len(untrained(models)) + len(missing)) as overview:
        without_model = train_missing(models, processes, overview)
        ready, failures = list[Job](), dict[str, str]()
        for planned in missing:
            if planned.model.path in without_model:
                failures[planned.job.name] = without_model[planned.model.path]
                overview.ended(planned.job, failures[planned.job.name])
            else:
                ready.append(planned.job)
        failures |= run_all(ready, processes, overview, reuse=True)
    return failures


def _content(job: CellJob, failures: Mapping[str, str]) -> Mapping[str, Any]:
    if job.name not in failures:
        content: dict[str, Any] = json.loads(job.path.read_text("utf-8"))
        return content
    failed = job.cell.failed(failures[job.name])
    with suppress(OSError):  # the disk may be full: it is in the report all the same, if that can be written
        write_cell(job.path, failed)
    return failed


def _write_list(path: Path, files: Sequence[str]) -> None:
    try:
        with atomically(path) as temporary:
            temporary.write_text(
                json.dumps({"format": _FORMAT, "cells": list(files)}, indent=1) + "\n", "utf-8"
            )
    except OSError as error:
        raise UnlearningError(
            f"The list of cells could not be written to {path} ({error.strerror or error}). Make room, and run again."
        ) from error


def left_out(grounds: Sequence[Ground]) -> list[str]:
    """What a user should know of callbacks that are in the configuration of the training, in a sentence or none."""
    names = grounds[0].retain.left_out
    if not names:
        return []
    return [
        f"Left out of the training: {', '.join(names)}. Strategies are `entries` of `requests`, and a monitor is among their "
        "`settings`."
    ]
