"""What is finished of an audit, so that an interrupted one goes on where it was."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from lightning_unlearn._files import atomically

_FOLDER = ".unfinished"


class Stages:
    """Keeps results of long work in files, until the audit is finished.

    Args:
        output: folder of the report; `None` keeps nothing.
        key: everything that the results depend on beside the samples: another key is another audit.
    """

    def __init__(self, output: Path | None, key: Mapping[str, Any]) -> None:
        digest = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()
        self._folder = None if output is None else output / _FOLDER
        self._key = digest[:16]

    def known(self, name: str) -> Any:
        """The result of a stage; `None` if it was not finished, or by another audit."""
        path = self._path(name)
        if path is None or not path.is_file():
            return None
        return torch.load(path, map_location="cpu", weights_only=True)

    def keep(self, name: str, result: Any) -> None:
        """Write the result of a stage: tensors and plain values."""
        path = self._path(name)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomically(path) as temporary:
                torch.save(result, temporary)

    def once(self, name: str, work: Callable[[], Any]) -> Any:
        """The result of a stage, from its file or from work."""
        result = self.known(name)
        if result is None:
            result = work()
            self.keep(name, result)
        return result

    def finish(self) -> None:
        """Remove all files: the report is there."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, name: str) -> Path | None:
        if self._folder is None:
            return None
        place = hashlib.sha256(name.encode()).hexdigest()[:16]
        return self._folder / f"{self._key}-{place}.pt"
