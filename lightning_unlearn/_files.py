"""Files that are either complete or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


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
