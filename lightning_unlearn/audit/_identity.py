"""Who the samples are: identifiers made of their content, and whether two sides share any."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor
from torch.utils import _pytree as pytree

from lightning_unlearn.audit._digests import identifiers_digest
from lightning_unlearn.errors import ConfigurationError

Identify: TypeAlias = Callable[[Any], Sequence[Any]]

_SHOWN = 3
_KNOWN = (Tensor, np.ndarray, list, str, bytes, int, float, type(None))


def identifiers(batch: Any, count: int, identify: Identify | None = None) -> list[str]:
    """One identifier for each sample of a batch: that of `identify`, or the SHA-256 of its content.

    The content is that of every tensor, array or list in the batch that has a row for each sample, and its type; where it
    lies and what surrounds it does not count.

    Args:
        batch: as the loader gives it, on the CPU.
        count: number of samples.
        identify: gives the identifiers of a batch, numbers or strings.

    Raises:
        ConfigurationError: `identify` does not give as many as there are samples.
    """
    if identify is not None:
        given = [str(_plain(name)) for name in identify(batch)]
        if len(given) != count:
            raise ConfigurationError(
                f"`identify` must return one identifier for each of the {count} samples of a batch, found {len(given)}."
            )
        return given
    leaves = pytree.tree_leaves(batch, _is_column)
    odd = [leaf for leaf in leaves if not isinstance(leaf, _KNOWN)]
    if odd:
        raise ConfigurationError(
            f"Samples must be told apart by their content, found {type(odd[0]).__name__} in a batch, whose content is not "
            "known. Pass `identify=`, a function of a batch that returns their identifiers."
        )
    columns = [column for leaf in leaves if (column := _rows(leaf, count)) is not None]
    if not columns:
        raise ConfigurationError(
            "Samples must be told apart by their content, found no tensor, array or list with one row for each in a batch "
            f"of type {type(batch).__name__}. Pass `identify=`, a function of a batch that returns their identifiers."
        )
    return [_digest(column[row] for column in columns) for row in range(count)]


def digest_of(batches: Iterable[Any], identify: Identify | None = None) -> str:
    """Digest of all samples of a side, with nothing but its batches: how an audit's samples are verified.

    Raises:
        ConfigurationError: a batch has nothing in it with a row for each sample.
    """
    names: list[str] = []
    for batch in batches:
        lengths = [len(leaf) for leaf in pytree.tree_leaves(batch, _is_column) if _has_rows(leaf)]
        names += identifiers(batch, lengths[0] if lengths else 0, identify)
    return identifiers_digest(names)


def check_apart(one: str, first: Iterable[str], other: str, second: Iterable[str]) -> None:
    """Raise if two sides share a sample.

    Raises:
        ConfigurationError: they do.
    """
    shared = sorted(set(first).intersection(second))
    if shared:
        raise ConfigurationError(
            f"`{one}` and `{other}` must not share samples, found {len(shared)} in both, such as "
            f"{', '.join(name[:12] for name in shared[:_SHOWN])}. A sample that is also elsewhere cannot be forgotten, "
            "nor be unseen: take the copies out of one side, or pass `identify=` if equal samples are different ones."
        )


def _plain(name: Any) -> Any:
    return name.item() if isinstance(name, (Tensor, np.generic)) else name


def _is_column(node: Any) -> bool:
    return isinstance(node, list) and all(isinstance(entry, str) for entry in node)


def _has_rows(leaf: Any) -> bool:
    return isinstance(leaf, list) or (isinstance(leaf, (Tensor, np.ndarray)) and leaf.ndim > 0)


def _rows(leaf: Any, count: int) -> list[bytes] | None:
    if isinstance(leaf, list) and len(leaf) == count:
        return [str(entry).encode() for entry in leaf]
    if isinstance(leaf, Tensor):
        leaf = leaf.detach().cpu()
        leaf = leaf.float().numpy() if leaf.dtype.itemsize == 2 and leaf.is_floating_point() else leaf.numpy()
    if isinstance(leaf, np.ndarray) and leaf.ndim and len(leaf) == count:
        kind = f"{leaf.dtype.str}{leaf.shape[1:]}".encode()
        return [kind + row.tobytes() for row in np.ascontiguousarray(leaf)]
    return None


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()
