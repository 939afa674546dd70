"""One cell of a comparison: what its numbers depend on, and its file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import lightning
import torch

import lightning_unlearn
from lightning_unlearn._files import atomically
from lightning_unlearn.compare._request import Strategy
from lightning_unlearn.compare._settings import Settings
from lightning_unlearn.reference._description import canonical
from lightning_unlearn.rendering import to_plain

FORMAT = "lightning-unlearn cell 2"
Kind: TypeAlias = Literal["strategy", "fine-tuning", "ascent", "nothing", "retraining"]
_LONGEST = 60  # characters of the readable part of a file's name


@dataclass(frozen=True)
class Cell:
    """One strategy or control, with one seed of each kind.

    Attributes:
        request: name of what is forgotten.
        entry: name of the strategy or control.
        kind: what it is.
        strategy: how it unlearns; `None` where nothing is unlearned.
        settings: while it does.
        original: seed of the original; `None` for a retrained model.
        unlearning: seed of the unlearning, if there is one.
        reference: seed of a retrained model; `None` for all others.
        evaluation: seeds of the evaluations.
        depends_on: digests of everything else that the numbers depend on, by what they are of.
    """

    request: str
    entry: str
    kind: Kind
    strategy: Strategy | None
    settings: Settings | None
    original: int | None
    unlearning: int | None
    reference: int | None
    evaluation: Sequence[int]
    depends_on: Mapping[str, Any]

    @cached_property
    def key(self) -> str:
        """SHA-256 of what makes it this one."""
        parts = {name: value for name, value in self._plain().items() if name != "versions"}
        parts |= {"evaluation": list(self.evaluation), "depends_on": dict(self.depends_on)}
        return hashlib.sha256(canonical(parts).encode()).hexdigest()

    @property
    def name(self) -> str:
        """In displays and messages; no two cells of a comparison have the same."""
        of_settings = f" ({self.controls})" if self.kind in ("fine-tuning", "ascent") else ""
        seeds = (self.original, self.unlearning, self.reference)
        numbers = "/".join(str(seed) for seed in seeds if seed is not None)
        return f"{self.request}, {self.entry}{of_settings}, {numbers}"

    @property
    def stem(self) -> str:
        """Of its file: readable, and different for different cells."""
        readable = re.sub(r"[^\w.]+", "-", self.name).strip("-")[:_LONGEST]
        return f"{readable}-{self.key[:16]}"

    @property
    def controls(self) -> str | None:
        """What the settings are called that it shares with its controls."""
        return None if self.settings is None else self.settings.identifier

    def failed(self, error: str) -> dict[str, Any]:
        """Its file, if there are no numbers."""
        return {**self._plain(), "key": self.key, **_NO_RESULT, "error": error}

    def finished(self, evaluations: Sequence[Mapping[str, Any]], course: Mapping[str, Any]) -> dict[str, Any]:
        """Its file, with its numbers."""
        return {**self._plain(), "key": self.key, **_NO_RESULT, **course, "evaluations": list(evaluations)}

    def _plain(self) -> dict[str, Any]:
        strategy = None
        if self.strategy is not None:
            arguments = to_plain(dict(self.strategy.init_args), Any, "init_args")  # `inf` is no JSON
            strategy = {"class_path": self.strategy.class_path, "init_args": arguments}
        seeds = {"original": self.original, "unlearning": self.unlearning, "reference": self.reference}
        return {
            "format": FORMAT,
            "request": self.request,
            "entry": self.entry,
            "kind": self.kind,
            "strategy": strategy,
            "settings": None
            if self.settings is None
            else to_plain(self.settings.to_plain(), Any, "settings"),
            "controls": self.controls,
            "seeds": seeds,
            "versions": versions(),
        }


_NO_RESULT: dict[str, Any] = {
    "evaluations": [],
    "steps": None,
    "seconds": None,
    "steps_to_target": None,
    "seconds_to_target": None,
    "stopped": None,
    "error": None,
}


def versions() -> dict[str, str]:
    """Of what a cell is made by."""
    return {
        "lightning_unlearn": lightning_unlearn.__version__,
        "torch": str(torch.__version__),
        "lightning": lightning.__version__,
    }


def write_cell(path: Path, content: Mapping[str, Any]) -> None:
    """Write the file of a cell, as a whole or not at all."""
    with atomically(path) as temporary:
        temporary.write_text(
            json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n", "utf-8"
        )
