"""Who has which colour, line and marker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lightning_unlearn.audit._report import AuditReport
from lightning_unlearn.rendering import ORIGINAL, REFERENCE, UNLEARNED, VARIANTS

_LONGEST = 28  # letters of a name in a legend; the table has all of them


@dataclass(frozen=True)
class Look:
    """How one model is drawn; no two kinds of models share a line or a marker, so that colour is never alone."""

    label: str
    colour: str
    line: str | tuple[int, tuple[float, ...]]
    marker: str
    width: float
    filled: bool


def looks(report: AuditReport, names: Iterable[str]) -> dict[str, Look]:
    """A look for each of the names, in the order of the report's models."""
    roles = {model.name: model.role for model in report.models}
    order = [*roles, *sorted(set(names) - set(roles))]
    count = sum(role == "reference" for role in roles.values())
    found, variants = {}, 0
    for name in (name for name in order if name in set(names)):
        role = roles.get(name, "variant")
        if role == "original":
            found[name] = Look(_short(name), ORIGINAL, (0, (5, 2)), "s", 1.8, filled=False)
        elif role == "unlearned":
            found[name] = Look(_short(name), UNLEARNED, "-", "o", 2.2, filled=True)
        elif role == "reference":
            label = "reference" if count == 1 else f"{count} references"
            found[name] = Look(label, REFERENCE, (0, (1, 1.2)), "D", 1.6, filled=True)
        else:
            colour, marker = VARIANTS[variants % 3], "^vP"[variants % 3]
            found[name] = Look(_short(name), colour, (0, (6, 2, 1, 2)), marker, 1.5, filled=False)
            variants += 1
    return found


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
