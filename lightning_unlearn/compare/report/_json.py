"""A comparison as JSON: the types in `_summary` say how."""

from __future__ import annotations

import json

from lightning_unlearn.compare.report._summary import Comparison
from lightning_unlearn.rendering import to_plain


def to_json(comparison: Comparison) -> str:
    """The comparison as JSON, summary and cells, the same text for the same comparison.

    Args:
        comparison: what was found.

    Returns:
        JSON with a line feed at its end, as `schema.json` describes it.

    Raises:
        ConfigurationError: a cell holds what JSON cannot say.
    """
    plain = to_plain(comparison, Comparison, "comparison")
    return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
