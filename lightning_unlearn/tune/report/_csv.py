"""All trials in full precision, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from lightning_unlearn.tune._search import Search


def trials_csv(search: Search) -> str:
    """One line a trial; shares in [0, 1], distances in points, values of parameters in JSON.

    Args:
        search: with its trials.
    """
    originals = search.about["seeds"]["original"]
    head = [
        *("trial", "distance", "violation", "feasible"),
        *(f"distance_of_original_{seed}" for seed in originals),
        *search.baseline.numbers,
        *("seconds", "error"),
        *search.names,
    ]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    for trial in search.trials:
        each: list[Any] = [*trial.by_original] or [None] * len(originals)
        writer.writerow(
            [
                *(trial.number, trial.distance, trial.violation, trial.is_feasible),
                *each,
                *(trial.numbers.get(name) for name in search.baseline.numbers),
                *(trial.seconds, trial.error),
                *(json.dumps(trial.values[name], ensure_ascii=False) for name in search.names),
            ]
        )
    return stream.getvalue()
