"""The one file of weights that the standard scores are defined by."""

from __future__ import annotations

import hashlib
from os import PathLike
from pathlib import Path

import torch

from lightning_unlearn.errors import ConfigurationError

FILE = "weights-inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
BYTES = 95_628_359


def inception_weights(path: str | PathLike[str] | None) -> Path:
    """The file at `path`, or in the cache of torch.hub, if it is the right one; nothing is downloaded."""
    cached = Path(torch.hub.get_dir(), "checkpoints", FILE)
    file = cached if path is None else Path(path).expanduser()
    get = f"Download {URL} ({BYTES:,} bytes, SHA-256 {SHA256}) to {cached}, or pass its path as `weights=`."
    if not file.is_file():
        raise ConfigurationError(
            f"`weights` must be the file {FILE} of torch-fidelity, found no file at {file}. {get}"
        )
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else ""
    found = found or hashlib.sha256(file.read_bytes()).hexdigest()  # Python 3.10
    if found != SHA256:
        raise ConfigurationError(
            f"`weights` must be the file {FILE} with the SHA-256 {SHA256}, found {file} of {file.stat().st_size:,} bytes with "
            f"{found}. Other weights do not give FID. {get}"
        )
    return file
