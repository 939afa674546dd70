"""Files that are either complete or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from lightning_unlearn.errors import ConfigurationError


@contextmanager
def atomically(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, with the same suffix; what was written there replaces `path` at the end.

    Args:
        path: The file to be made; it keeps its old content if the body raises.

    Yields:
        The name to write to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomically(Path(folder, "a.txt")) as temporary:
        ...         _ = temporary.write_text("complete")
        ...     [(entry.name, entry.read_text()) for entry in Path(folder).iterdir()]
        [('a.txt', 'complete')]
    """
    temporary = path.with_name(f".{path.stem}-{uuid4().hex}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def prepare_folder(path: Path | str) -> Path:
    """Make the output folder and prove that it can be written to, before any work is spent.

    Args:
        path: The folder; it and its parents are created where they are absent.

    Returns:
        The folder as a path.

    Raises:
        ConfigurationError: The folder cannot be made or written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     prepare_folder(Path(parent, "unlearn-demo")).is_dir()
        True
    """
    folder = Path(path).expanduser()
    probe = folder / f".{uuid4().hex}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigurationError(
            f"The output folder must be writable, found {folder} ({error.strerror or error}). "
            "Name another folder, or change its permissions."
        ) from error
    return folder


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Work in a folder that no other process works in; a process that was killed is none.

    Args:
        folder: that is there, and can be written to.

    Raises:
        ConfigurationError: another process works in it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, alone_in(Path(folder)):
        ...     ...  # what another process would disturb
        Ellipsis
    """
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise ConfigurationError(
            f"The output folder must not be in use, found another run at work in {folder}. Wait for it, or name another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()
