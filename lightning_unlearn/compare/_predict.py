"""How predictions are made, by the name of a function."""

from __future__ import annotations

from pydoc import ErrorDuringImport, locate
from typing import Any

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.predictions import Predict


def predict_of(path: str | None) -> Predict | None:
    """The function of an import path; `None` for `None`.

    Raises:
        ConfigurationError: there is no such function.

    Example:
        >>> predict_of("lightning_unlearn.predictions.logits_and_labels").__name__
        'logits_and_labels'
    """
    if path is None:
        return None
    found: Any = None
    try:
        found = locate(path)
    except ErrorDuringImport as error:
        reason = str(error)
    else:
        reason = "nothing there" if found is None else type(found).__name__
    if not callable(found):
        raise ConfigurationError(
            f"`predict` must be the import path of a function of (module, batch), found {path!r}: {reason}. See "
            "`lightning_unlearn.predictions.logits_and_labels` for what it returns."
        )
    predict: Predict = found
    return predict
