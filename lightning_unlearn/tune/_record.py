"""The file that a search goes on from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_unlearn._files import atomically
from lightning_unlearn.errors import ConfigurationError, UnlearningError
from lightning_unlearn.rendering import of_plain, to_plain
from lightning_unlearn.tune._search import Search

NAME = "search.json"


def read_search(folder: Path, about: Mapping[str, Any]) -> Search | None:
    """The search of a folder, if there is one.

    Args:
        folder: its folder.
        about: what it must be about; see :class:`Search`.

    Raises:
        ConfigurationError: the file is damaged, or of a search of something else; the message says what differs.
    """
    path = folder / NAME
    try:
        plain = json.loads(path.read_text("utf-8"))
        search: Search = of_plain(plain, Search, "search")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # no JSON, no UTF-8, no search
        raise ConfigurationError(
            f"{path} must be the file of a search, found a damaged one: {error} Remove the folder, and start again: models and "
            "cells are kept elsewhere."
        ) from error
    found = search.about
    differing = sorted(name for name in found.keys() | about.keys() if found.get(name) != about.get(name))
    if differing:
        said = "; ".join(
            f"`{name}` {_short(found.get(name))} instead of {_short(about.get(name))}" for name in differing
        )
        raise ConfigurationError(
            f"{folder} must hold a search of the same, found one with {said}. Take another `output`, or remove that folder."
        )
    return search


def write_search(folder: Path, search: Search) -> None:
    """Write the file of a search, as a whole or not at all.

    Raises:
        UnlearningError: it could not be written.
    """
    text = json.dumps(to_plain(search, Search, "search"), indent=1, allow_nan=False, ensure_ascii=False)
    write_texts(folder, {NAME: text + "\n"})


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files, each as a whole or not at all.

    Raises:
        UnlearningError: one could not be written.
    """
    try:
        for name, text in texts.items():
            with atomically(folder / name) as temporary:
                temporary.write_bytes(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise UnlearningError(
            f"The search could not be written to {folder} ({error.strerror or error}). Make room, and run the same command "
            "again: it goes on from the last trial that was written."
        ) from error


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else text[:159] + "…"
