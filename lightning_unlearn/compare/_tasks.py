"""Comparisons that come with the package, and options that are read before a configuration."""

from __future__ import annotations

import argparse
from pathlib import Path

from lightning_unlearn.compare._names import did_you_mean
from lightning_unlearn.errors import ConfigurationError

TASKS = ("digits", "mnist", "fashion_mnist")
FIRST = {
    "task": "A comparison that comes with the package, in place of `--config`: " + ", ".join(TASKS) + ".",
    "data_dir": "Folder with the data of that task; digits need none.",
    "report": "Folder of a comparison whose reports are to be written again; nothing is run.",
}
FOLDER = Path(__file__).parent / "tasks"


def read_first(arguments: list[str]) -> tuple[dict[str, str | None], list[str]]:
    """These options by name, and the arguments that are left.

    Example:
        >>> read_first(["--task", "digits", "--threads", "2"])
        ({'task': 'digits', 'data_dir': None, 'report': None}, ['--threads', '2'])
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in FIRST:
        parser.add_argument(f"--{name}")
    known, rest = parser.parse_known_args(arguments)
    return vars(known), rest


def task_arguments(name: str | None, data_dir: str | None) -> list[str]:
    """The configuration of a task, as arguments.

    Args:
        name: of the task; `None` for none.
        data_dir: folder with its data.

    Raises:
        ConfigurationError: there is no such task, or the folder is missing or there for nothing.
    """
    if name is None:
        if data_dir is not None:
            raise ConfigurationError(
                "`--data_dir` must go with `--task`, found without. A configuration of your own says where its data are."
            )
        return []
    if name not in TASKS:
        raise ConfigurationError(
            f"`--task` must be one of {', '.join(TASKS)}, found {name!r}. {did_you_mean(name, TASKS)}"
        )
    sides = () if name == "digits" else ("train", "test")
    if sides and data_dir is None:
        raise ConfigurationError(
            f"`--data_dir` must name the folder with the data of {name}, found none. Pass it."
        )
    if data_dir is not None and not sides:
        raise ConfigurationError(
            f"`--data_dir` must be left out for {name}, found {data_dir}. They need no files."
        )
    roots = (f"--data.init_args.{side}.init_args.root={data_dir}" for side in sides)
    return [f"--config={FOLDER / f'{name}.yaml'}", *roots]
