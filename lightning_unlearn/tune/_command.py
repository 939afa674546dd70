"""`lightning-unlearn tune`."""

from __future__ import annotations

import sys
import warnings

from rich.console import Console

from lightning_unlearn.compare._tasks import read_first
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.tune._asked import asked_of
from lightning_unlearn.tune._config import TuneCLI
from lightning_unlearn.tune._propose import check_installed
from lightning_unlearn.tune._run import run
from lightning_unlearn.tune._tasks import search_arguments
from lightning_unlearn.tune._trial import best_of
from lightning_unlearn.tune.report import write_reports

_NOTHING_FOUND = 1  # exit status


def tune(arguments: list[str]) -> None:
    """Run the search that the arguments ask for.

    Raises:
        ConfigurationError: something does not fit; nothing has been trained then.
        UnlearningError: a model could not be trained or measured, or a file not be written.
        SystemExit: the arguments do not parse, no trial could be chosen (1), or Ctrl-C (130).
    """
    check_installed()
    first, rest = read_first(arguments)
    if first["report"] is not None:
        raise ConfigurationError(
            "`--report` must be left out, found it with a search. Run the same search again: it writes its reports from the "
            "trials that are there."
        )
    asked = asked_of(TuneCLI([*search_arguments(first["task"], first["data_dir"]), *rest]).config)
    console, messages = Console(), Console(stderr=True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)  # Lightning's
            search, folder = run(asked, messages)
    except KeyboardInterrupt:
        messages.print("Interrupted. The same command goes on from here.")
        sys.exit(130)
    write_reports(search, folder, console)
    messages.print(f"The trials, the best entry and the page are in {folder}.", highlight=False, markup=False)
    if best_of(search.trials) is None:
        sys.exit(_NOTHING_FOUND)
