"""Whether references were trained on the retain set, as far as their files say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lightning_unlearn.audit._loading import Weights
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.reference import read_stamp


def check_stamps(references: Sequence[Weights], retained: int) -> None:
    """Refuse a model that `lightning-unlearn reference` or `compare` trained on another number of samples.

    Args:
        references: as they were given; those that are no such files are taken at the caller's word.
        retained: samples of the retain set.

    Raises:
        ConfigurationError: one was.
    """
    for path in references:
        if not isinstance(path, (str, Path)):
            continue
        try:
            found = read_stamp(path).retain_samples
        except ConfigurationError:  # trained by other means
            continue
        if found != retained:
            raise ConfigurationError(
                f"`references` must be trained on the retain set, of {retained} samples, found {path}, trained on {found}. Leave out "
                "originals, and references for other requests: name the files one by one."
            )
