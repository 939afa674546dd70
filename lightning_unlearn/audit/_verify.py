"""Whether weights and samples are those that were audited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import override

from lightning_unlearn._weights_file import read_weights
from lightning_unlearn.audit._digests import identifiers_digest, weights_digest
from lightning_unlearn.audit._json import from_json
from lightning_unlearn.audit._report import AuditReport
from lightning_unlearn.errors import ConfigurationError

Weights = Path | str | Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """Something that is not what was audited.

    Attributes:
        what: `weights` or `samples`.
        name: Of the model or of the side.
        recorded: Digest in the report.
        found: Digest now; `None` where a file is gone.
        source: The file, if it was one.

    Example:
        >>> print(Difference("weights", "original", 64 * "a", None, "a.ckpt"))
        The weights of the original (a.ckpt) are gone; recorded was aaaaaaaaaaaa….
    """

    what: str
    name: str
    recorded: str
    found: str | None
    source: str | None = None

    @override
    def __str__(self) -> str:
        source = f" ({self.source})" if self.source else ""
        now = "gone" if self.found is None else f"others: found {self.found[:12]}…"
        return f"The {self.what} of the {self.name}{source} are {now}; recorded was {self.recorded[:12]}…."


def verify(
    report: Path | str,
    *,
    weights: Mapping[str, Weights] | None = None,
    identifiers: Mapping[str, Iterable[str]] | None = None,
) -> list[Difference]:
    """Compute digests again, and say which differ from those in a report.

    Args:
        report: `report.json` of an audit.
        weights: By name of the model, a file or a state dict. `None`: the files that the report names, found from the
            current folder as they were then.
        identifiers: By name of the side, the identifiers of its samples. Sides that are absent are not looked at.

    Returns:
        What differs, in the order of the report; nothing, if all that was looked at is as it was.

    Raises:
        ConfigurationError: The report cannot be read, a name is not in it, there is nothing to look at, or a file would
            have to run code to be read.
    """
    digests = {name: identifiers_digest(names) for name, names in (identifiers or {}).items()}
    return verify_digests(report, digests, weights=weights)


def verify_digests(
    report: Path | str, samples: Mapping[str, str], *, weights: Mapping[str, Weights] | None = None
) -> list[Difference]:
    """As :func:`verify`, with the digests of the sides in place of their identifiers.

    Args:
        report: `report.json` of an audit.
        samples: By name of the side, the digest of the identifiers of its samples.
        weights: As there.

    Raises:
        ConfigurationError: As there.
    """
    found = read_report(report)
    if weights is None:
        weights = {model.name: model.source for model in found.models if model.source is not None}
    _require_names(found, weights, samples)
    differences = []
    for model in found.models:
        if model.name in weights:
            given = weights[model.name]
            source = None if isinstance(given, Mapping) else str(given)
            now = _digest(given)
            if now != model.sha256:
                differences.append(Difference("weights", model.name, model.sha256, now, source))
    for side in found.sides:
        if side.name in samples:
            now = samples[side.name]
            if now != side.sha256:
                differences.append(Difference("samples", f"{side.name} side", side.sha256, now))
    return differences


def read_report(report: Path | str) -> AuditReport:
    """The report in a file.

    Raises:
        ConfigurationError: There is none.
    """
    path = Path(report).expanduser()
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"`report` must be the report.json of an audit, found {path} ({error}). Name a file that is there."
        ) from error


def _digest(weights: Weights) -> str | None:
    if isinstance(weights, Mapping):
        return weights_digest(weights)
    path = Path(weights).expanduser()
    return weights_digest(read_weights(path)) if path.exists() else None


def _require_names(report: AuditReport, weights: Iterable[str], identifiers: Iterable[str]) -> None:
    wanted = {"weights": set(weights), "identifiers": set(identifiers)}
    there = {"weights": [m.name for m in report.models], "identifiers": [s.name for s in report.sides]}
    for argument, names in wanted.items():
        if names - set(there[argument]):
            raise ConfigurationError(
                f"`{argument}` must be named as in the report: {', '.join(there[argument])}; "
                f"found {', '.join(sorted(names - set(there[argument])))}. Use those names."
            )
    if not any(wanted.values()):
        raise ConfigurationError(
            "`weights` or `identifiers` must be given: the report names no file of weights. Name one for each model."
        )
