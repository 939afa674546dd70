"""A comparison from Python."""

from __future__ import annotations

from argparse import ArgumentError
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from lightning_unlearn.errors import ConfigurationError, UnlearningError


def compare(
    config: Mapping[str, Any] | Path | str, *, console: Console | None = None
) -> list[Mapping[str, Any]]:
    """Unlearn by several strategies with several seeds, beside the controls, and put the numbers into one table.

    The controls are doing nothing, retraining, and, for each distinct setting of steps, batch sizes, model arguments and monitor,
    retain fine-tuning and ascent. Models are trained and cells are made in processes beside one another; what is there already is
    not made again, and an interrupted comparison goes on. docs/compare.md has the configuration and says what is written.

    In a script, call this under `if __name__ == "__main__":`, since the processes import the script.

    Args:
        config: a configuration, as a mapping of plain values, or its YAML file.
        console: where the table is printed; `None` for standard output. How far it is is shown on standard error.

    Returns:
        The cells, in the order of the configuration, as their files have them. One that failed has an `error`, and no `evaluations`.

    Raises:
        ConfigurationError: something does not fit; nothing has been trained then.
        UnlearningError: jsonargparse is not installed, or a report could not be written.

    Example:
        >>> from lightning_unlearn.compare import compare
        >>> cells = compare("examples/compare.yaml")  # doctest: +SKIP
        >>> {cell["entry"]: cell["evaluations"][0]["forget_accuracy"] for cell in cells}  # doctest: +SKIP
        {'do nothing': 1.0, 'retraining': 0.0, 'GradientSurgery': 0.0, ...}
    """
    try:
        from lightning_unlearn.compare._comparison import comparison_of
        from lightning_unlearn.compare._config import CompareCLI
        from lightning_unlearn.compare._run import run
    except ModuleNotFoundError as error:
        if error.name != "jsonargparse":
            raise
        raise UnlearningError(
            "`compare` needs jsonargparse, found it not installed. Run `pip install 'lightning-unlearn[cli]'`."
        ) from error
    given: Any = dict(config) if isinstance(config, Mapping) else [f"--config={config}"]
    try:
        parsed = CompareCLI(given, exit_on_error=False).config
    except ArgumentError as error:
        said = " ".join(str(error).split())
        raise ConfigurationError(
            f"`config` must be that of a comparison, found that it is not: {said}"
        ) from error
    return run(comparison_of(parsed), console or Console(), Console(stderr=True))
