from __future__ import annotations

from typing import Any

from torch import Tensor

from lightning_unlearn.gradient import Gradient
from lightning_unlearn.passes._state_file import StateFile


class Filed:
    """Which values are in a file of large state, for as long as they stay what they were."""

    def __init__(self) -> None:
        self.file: StateFile | None = None
        self._values: dict[str, list[tuple[Any, int]]] = {}

    def keep(self, file: StateFile, values: dict[str, Any]) -> None:
        """Note that `file` holds the values, by name."""
        self.file = file
        self._values = {name: _leaves(value) for name, value in values.items()}

    def holds(self, name: str, value: Any) -> bool:
        """Whether the file holds this very value."""
        kept, now = self._values.get(name), _leaves(value)
        if kept is None or len(kept) != len(now):
            return False
        return all(
            (a is b if isinstance(a, Tensor) else a == b) and version == other
            for (a, version), (b, other) in zip(kept, now, strict=True)
        )


def _leaves(value: Any) -> list[tuple[Any, int]]:
    """Tensors with the number of changes in place that they have seen, and everything else."""
    if isinstance(value, (Gradient, dict)):
        return [leaf for entry in value.items() for leaf in _leaves(list(entry))]
    if isinstance(value, (list, tuple)):
        return [leaf for entry in value for leaf in _leaves(entry)]
    counts = isinstance(value, Tensor) and not value.is_inference()
    return [(value, value._version if counts else 0)]
