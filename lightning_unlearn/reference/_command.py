"""`lightning-unlearn reference`."""

from __future__ import annotations

import sys
import warnings

from rich.console import Console

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.reference._checks import chosen_seeds
from lightning_unlearn.reference._config import Configured, ReferenceCLI
from lightning_unlearn.reference._run import run


def reference(arguments: list[str]) -> None:
    """Train the references that the arguments ask for; prints their files, one a line.

    Raises:
        ConfigurationError: something does not fit.
        UnlearningError: some references failed.
        SystemExit: the arguments do not parse, or Ctrl-C (130).
    """
    config = ReferenceCLI(arguments).config
    if config.get("data") is None:
        raise ConfigurationError(
            "`data` must be a data module with a retain side, found none. Pass an `UnlearningDataModule`."
        )
    seeds = chosen_seeds(config.pop("count"), config.pop("seeds"))
    options = {name: config.pop(name) for name in ("processes", "threads", "output", "data_key")}
    config.pop("config", None)
    messages = Console(stderr=True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)  # Lightning's
            paths = run(Configured(config), seeds, console=messages, **options)
    except KeyboardInterrupt:
        messages.print("Interrupted. The same command goes on from here.")
        sys.exit(130)
    for path in paths:
        print(path)
