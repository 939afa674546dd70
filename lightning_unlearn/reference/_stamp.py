"""What a reference was made of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning
import torch

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.reference._description import canonical

FORMAT = "lightning-unlearn reference 1"
ENTRY = "lightning_unlearn"  # of the checkpoint


@dataclass(frozen=True)
class Stamp:
    """What a reference was made of; its checkpoint has it under `lightning_unlearn`.

    Attributes:
        seed: of the first weights and of the order of the samples.
        config: settings of model, data and trainer, as canonical JSON.
        data_sha256: of the retain set.
        retain_samples: how many samples that has.
        seconds: that the training took, interruptions and what was lost by them left out; `None` where it was not measured. It is no
            part of the key, and does not make two stamps different.

    Example:
        >>> stamp = Stamp(seed=1, config='{"lr":0.1}', data_sha256="0" * 64, retain_samples=10)
        >>> stamp.name
        'reference-1-16b43d196676c29f'
    """

    seed: int
    config: str
    data_sha256: str
    retain_samples: int
    seconds: float | None = field(default=None, compare=False)

    @property
    def config_sha256(self) -> str:
        """SHA-256 of the settings."""
        return hashlib.sha256(self.config.encode()).hexdigest()

    @property
    def key(self) -> str:
        """SHA-256 over format, seed, settings and data: what decides whether two references are the same."""
        parts = [FORMAT, self.seed, self.config_sha256, self.data_sha256]
        return hashlib.sha256(canonical(parts).encode()).hexdigest()

    @property
    def name(self) -> str:
        """Of the file, without suffix."""
        return f"reference-{self.seed}-{self.key[:16]}"

    def to_plain(self) -> dict[str, Any]:
        """The entry of the checkpoint."""
        return {
            "format": FORMAT,
            "key": self.key,
            "seed": self.seed,
            "config": self.config,
            "config_sha256": self.config_sha256,
            "data_sha256": self.data_sha256,
            "retain_samples": self.retain_samples,
            "seconds": self.seconds,
            "torch": str(torch.__version__),
            "lightning": lightning.__version__,
        }


def read_stamp(path: Path | str) -> Stamp:
    """What the reference in a file was made of; its weights are not read.

    Args:
        path: a checkpoint of :func:`retrain_references`.

    Raises:
        ConfigurationError: the file is not there, is damaged, or is no such checkpoint.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        entry = content[ENTRY]
        if entry["format"] != FORMAT:
            raise KeyError(entry["format"])
        stamp = Stamp(
            entry["seed"],
            entry["config"],
            entry["data_sha256"],
            entry["retain_samples"],
            entry.get("seconds"),
        )
    except Exception as error:
        raise ConfigurationError(
            f"A reference must be a checkpoint of `lightning-unlearn reference`, found {path}: "
            f"{type(error).__name__}: {error}. Remove it, and run `lightning-unlearn reference` again."
        ) from error
    return stamp
