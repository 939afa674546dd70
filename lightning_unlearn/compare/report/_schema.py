"""The JSON Schema of `report.json`: `python -m lightning_unlearn.compare.report._schema` prints it."""

from __future__ import annotations

import json
from typing import Any

from lightning_unlearn.compare.report._summary import FORMAT, Comparison
from lightning_unlearn.rendering import schema_of


def schema() -> dict[str, Any]:
    """The schema, draft 2020-12, with the docstrings of the dataclasses as descriptions.

    Example:
        >>> schema()["$defs"]["Paired"]["required"]
        ['mean', 'deviation', 'pairs', 'closer']
    """
    return schema_of(Comparison, FORMAT)


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2, ensure_ascii=False))
