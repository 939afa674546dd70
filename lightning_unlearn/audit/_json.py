"""A report as JSON text, and back: the types in `_report` say how."""

from __future__ import annotations

import json

from lightning_unlearn.audit._report import AuditReport
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.rendering import of_plain, to_plain


def to_json(report: AuditReport) -> str:
    """The report as JSON, the same text for the same report.

    Fields come in the order of their declaration, keys of mappings sorted. Numbers that are not finite are the strings
    `"inf"`, `"-inf"` and `"nan"`, for which JSON has no other name.

    Args:
        report: What an audit has found.

    Returns:
        JSON with a line feed at its end, as `schema.json` describes it.

    Raises:
        ConfigurationError: The report holds a value of another type than it declares; it says where.
    """
    plain = to_plain(report, AuditReport, "report")
    return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: str) -> AuditReport:
    """The report that `to_json` wrote, with tuples for its sequences.

    What the report declares as `Any` (arguments, versions) stays as JSON has it: lists, and strings for infinities.

    Args:
        text: JSON.

    Returns:
        A report whose JSON is `text` again.

    Raises:
        ConfigurationError: The text is no JSON, or no report; it says where.

    Example:
        >>> try:
        ...     from_json("{}")
        ... except ConfigurationError as error:
        ...     print(str(error)[:52])
        `report` must have the entries verdict, request, sid
    """
    try:
        plain = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"`report` must be JSON, found something else: {error}. Name a file that an audit has written."
        ) from error
    report = of_plain(plain, AuditReport, "report")
    assert isinstance(report, AuditReport)
    return report
