"""Large state in a file of its own, named by its content."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.pytorch import Trainer

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.passes._plain import whole


class StateFile(NamedTuple):
    """A file that rank 0 has written.

    Attributes:
        path: where it was written.
        sha256: of its content.
    """

    path: str
    sha256: str

    @classmethod
    def write(cls, trainer: Trainer, folder: str, content: Any) -> StateFile:
        """Write `content` into `folder`; to be called by all processes, which wait for it."""
        content, written = whole(content), None
        if trainer.is_global_zero:
            written = _write(Path(folder).absolute(), content)
        path, sha256 = trainer.strategy.broadcast(written)  # type: ignore[misc]
        return cls(path, sha256)

    def read(self, folder: str | None) -> Any:
        """The content, from `folder` if it is there now, else from where it was written."""
        path = Path(self.path)
        if folder is not None and (Path(folder) / path.name).exists():
            path = Path(folder) / path.name
        if not path.exists():
            raise ConfigurationError(
                f"`{path}` must be there to resume, with SHA-256 {self.sha256}, found no such file. Put it back, or name "
                "the folder that holds it now as `state_dir`."
            )
        found = _sha256(path)
        if found != self.sha256:
            raise ConfigurationError(
                f"`{path}` must have SHA-256 {self.sha256} to resume, found {found}. Put the file of this checkpoint "
                "back, or start the run anew."
            )
        return torch.load(path, map_location="cpu", weights_only=True)


def _write(folder: Path, content: Any) -> tuple[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        sha256 = _sha256(Path(temporary))
        path = folder / f"{sha256}.pt"
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return str(path), sha256


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
