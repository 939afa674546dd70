"""Data by which another process knows that it has the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.reference._digest import data_digest, probes, sample_digests

_PROBES = 16  # samples by which a process knows the data again


class Known(NamedTuple):
    """A set of samples, once it has been read.

    Attributes:
        digest: of all of them; see :func:`data_digest`.
        samples: how many.
        probes: digests of some of them, by their indices; none where the data have a name.
    """

    digest: str
    samples: int
    probes: Sequence[tuple[int, str]]

    def check(self, dataset: Any, what: str) -> None:
        """See that a process has the same samples as the one that has started it.

        Args:
            dataset: as this process has made it.
            what: how a message names it.

        Raises:
            ConfigurationError: it is another one.
        """
        expected = [digest for _, digest in self.probes]
        if self.probes and len(dataset) == self.samples:
            found = sample_digests(dataset, [index for index, _ in self.probes])
        else:
            found = []
        if found != expected:
            raise ConfigurationError(
                f"The {what} set must be the same in every process, found another one. Make `data` a function of its "
                "arguments alone, and the files it reads must not change."
            )


def known_of(dataset: Any, name: str | None) -> Known:
    """Read a set of samples, unless it has a name.

    Args:
        dataset: map-style.
        name: that stands for its contents; `None` to read it.

    Raises:
        ConfigurationError: a sample cannot be read, or not twice.
    """
    if name is not None:
        return Known(name, len(dataset), ())
    digest, indices = data_digest(dataset), probes(len(dataset), _PROBES)
    return Known(digest, len(dataset), tuple(zip(indices, sample_digests(dataset, indices), strict=True)))
