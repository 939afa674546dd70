"""Digests of the source of what is not of this package, whose version says enough."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from pydoc import locate
from typing import Any

from lightning_unlearn.compare._comparison import Comparison
from lightning_unlearn.compare._predict import predict_of
from lightning_unlearn.compare._request import Strategy
from lightning_unlearn.reference._description import source_digests


def of_strategy(strategy: Strategy | None) -> dict[str, str]:
    """Of its class, and of those among its arguments."""
    if strategy is None:
        return {}
    found: dict[str, str] = {}
    waiting: list[Any] = [{"class_path": strategy.class_path, "init_args": strategy.init_args}]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            cls = locate(value["class_path"]) if "class_path" in value else None
            found |= source_digests(cls) if isinstance(cls, type) else {}
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return _others(found)


def of_training(comparison: Comparison) -> dict[str, str]:
    """Of the data module, whose hooks change batches, and of `predict`."""
    data = locate(comparison.training.data.class_path)
    found = source_digests(data) if isinstance(data, type) else {}
    predict: Any = predict_of(comparison.predict)
    if predict is None:
        return _others(found)
    try:
        text = inspect.getsource(predict)
    except (OSError, TypeError):  # an object that can be called, or typed at a prompt
        return _others(found | source_digests(type(predict)))
    return _others(found | {str(comparison.predict): hashlib.sha256(text.encode()).hexdigest()})


def _others(found: Mapping[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in found.items() if not name.startswith("lightning_unlearn.")}
