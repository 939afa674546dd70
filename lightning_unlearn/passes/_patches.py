"""Instance attributes that are replaced for a while, and put back in reverse order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ABSENT = object()


class Patches:
    """Replaced instance attributes; class attributes are never touched."""

    def __init__(self) -> None:
        self._previous: list[tuple[Any, str, Any]] = []

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Replace `owner.name` until :meth:`undo`."""
        self._previous.append((owner, name, vars(owner).get(name, _ABSENT)))
        object.__setattr__(owner, name, value)  # not through nn.Module, which would look for parameters

    def undo(self) -> None:
        """Put everything back; a compiled module has an instance attribute of its own, which must return."""
        while self._previous:
            owner, name, previous = self._previous.pop()
            if previous is _ABSENT:
                vars(owner).pop(name, None)
            else:
                object.__setattr__(owner, name, previous)


@contextmanager
def patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Replace `owner.name` for the duration of the block."""
    patches = Patches()
    patches.set(owner, name, value)
    try:
        yield
    finally:
        patches.undo()
