"""Searches that come with the package: on other requests than the comparisons that do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from lightning_unlearn.compare._tasks import FOLDER, task_arguments

_OWN = Path(__file__).parent / "tasks"


def search_arguments(task: str | None, data_dir: str | None) -> list[str]:
    """The configuration of a task as arguments, with requests and originals that a comparison of it does not report.

    Args:
        task: its name; `None` for none.
        data_dir: folder with its data.

    Raises:
        ConfigurationError: there is no such task, or the folder is missing or there for nothing.
    """
    arguments = task_arguments(task, data_dir)
    if task is None:
        return arguments
    own, compared = (yaml.safe_load((at / f"{task}.yaml").read_text("utf-8")) for at in (_OWN, FOLDER))
    settings = {request["name"]: request["settings"] for request in compared["requests"]}
    requests: list[dict[str, Any]] = [
        {"name": one["name"], "forget": one["forget"], "settings": settings[one["settings_of"]]}
        for one in own["requests"]
    ]
    return [
        *arguments,
        f"--original_seeds={json.dumps(own['original_seeds'])}",
        f"--requests={json.dumps(requests)}",
    ]
