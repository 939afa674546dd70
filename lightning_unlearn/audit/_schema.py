"""The JSON Schema of a report, made from its dataclasses: `python -m lightning_unlearn.audit._schema` prints it."""

from __future__ import annotations

import json
from typing import Any

from lightning_unlearn.audit._report import FORMAT, AuditReport
from lightning_unlearn.rendering import schema_of


def schema() -> dict[str, Any]:
    """The schema, draft 2020-12, with the docstrings of the dataclasses as descriptions.

    Example:
        >>> schema()["$defs"]["Estimate"]["required"]
        ['value', 'low', 'high']
    """
    return schema_of(AuditReport, FORMAT)


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2, ensure_ascii=False))
