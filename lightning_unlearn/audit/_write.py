"""A report as three files in a folder."""

from __future__ import annotations

from pathlib import Path

from lightning_unlearn._files import atomically, prepare_folder
from lightning_unlearn.audit._html import to_html
from lightning_unlearn.audit._json import from_json, to_json
from lightning_unlearn.audit._markdown import to_markdown
from lightning_unlearn.audit._report import AuditReport
from lightning_unlearn.errors import ConfigurationError

NAMES = ("report.json", "report.md", "report.html")


def check_writable(folder: Path | str) -> Path:
    """Make the folder of a report and prove that its files can be written there, before an audit has cost anything.

    Args:
        folder: Where the report goes; made with its parents where it is absent.

    Returns:
        The folder as a path.

    Raises:
        ConfigurationError: The folder cannot be made or written to, or one of the names is taken by a folder.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     check_writable(Path(parent, "audits", "today")).is_dir()
        True
    """
    path = prepare_folder(folder)
    for name in NAMES:
        if (path / name).is_dir():
            raise ConfigurationError(
                f"`folder` must have room for the file {name}, found a folder of that name in {path}. "
                "Name another folder, or move that one away."
            )
    return path


def write(report: AuditReport, folder: Path | str) -> dict[str, Path]:
    """Write `report.json`, `report.md` and `report.html`, each complete or not at all.

    All three are made before the first is written, from what the JSON file says: the page shows what is on record. The
    same report gives the same bytes (with the same version of Matplotlib).

    Args:
        report: What an audit has found.
        folder: Where to; made where it is absent.

    Returns:
        The paths by name.

    Raises:
        ConfigurationError: The folder cannot be written to, or the report holds a value of a wrong type.
    """
    path = check_writable(folder)
    text = to_json(report)
    recorded = from_json(text)
    texts = dict(zip(NAMES, (text, to_markdown(recorded), to_html(recorded)), strict=True))
    for name, content in texts.items():
        with atomically(path / name) as temporary:
            # names of files may be no Unicode: an escape, which is JSON's own as well
            temporary.write_bytes(content.encode("utf-8", "backslashreplace"))
    return {name: path / name for name in NAMES}
