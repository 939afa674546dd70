from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from lightning_unlearn._files import prepare_folder
from lightning_unlearn._tensors import placed_like
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.importance import _cache
from lightning_unlearn.importance._digest import key_of
from lightning_unlearn.importance._squares import Losses, SampleSquares, squared
from lightning_unlearn.importance._visitor import Visitor

_COUNT = ".count"  # no parameter is called so


class Fisher(NamedTuple):
    """The diagonal of an empirical Fisher information.

    Attributes:
        values: parameter name to a tensor of its shape, non-negative, in at least float32.
        batch_size: number of samples whose mean gradient was squared; 1 for single samples.
    """

    values: dict[str, Tensor]
    batch_size: int


def diagonal_fisher(
    module: nn.Module,
    source: Visitor,
    losses: Losses,
    *,
    kind: Literal["sample", "batch"] = "sample",
    cache_dir: str | None = None,
) -> Fisher:
    """The diagonal empirical Fisher information of one side's data, at the current weights, in evaluation mode.

    `F = (1/N) Σ (∇ℓᵢ)²` over the N samples (`"sample"`), or `F = (1/M) Σ (∇ mean of ℓᵢ over a batch)²` over the M full
    batches (`"batch"`), summed over all processes. The first does not depend on the number of processes or the size of
    batches. The second is about 1/B of the first plus the squared mean gradient, and depends on both: compare it only
    with one of the same batch size. What is not finite counts as zero.

    Args:
        module: the user's module.
        source: visits every batch of the side.
        losses: of a module and a batch, the loss of each sample, shape `(N,)`.
        kind: `"sample"` or `"batch"`. Batches smaller than a full one are left out of the second.
        cache_dir: a folder for results, each in a file that is named by all it depends on: the data, every parameter and
            buffer, kind, batch size, precision, and the text of the function `losses`. A file that is damaged, or of
            another version, is computed anew and replaced, with a warning. `None` for none.

    Returns:
        The values, the same on every process.

    Raises:
        ConfigurationError: for batches without samples to tell apart (`"sample"`), or fewer samples than a full batch
            (`"batch"`).

    Example:
        >>> import torch
        >>> from lightning_unlearn.importance import diagonal_fisher
        >>> class OneBatch:
        ...     "Stands for the `Source` that `prepare` is given."
        ...     def sum(self, terms):
        ...         return terms(torch.tensor([[1.0], [3.0]]))
        ...     def gradient(self, loss):
        ...         return {"weight": torch.autograd.grad(loss, layer.weight)[0]}
        >>> layer = torch.nn.Linear(1, 1, bias=False)
        >>> diagonal_fisher(layer, OneBatch(), lambda module, x: module(x).flatten()).values  # (1² + 3²) / 2
        {'weight': tensor([[5.]])}
    """
    folder = None if cache_dir is None else prepare_folder(cache_dir)
    size = 1 if kind == "sample" else _full(source)
    if folder is None:
        return Fisher(_computed(module, source, losses, size, kind), size)
    parameters = {n: p.detach() for n, p in module.named_parameters() if p.requires_grad}
    path = Path(folder, f"fisher-{key_of(module, source, losses, kind, size)}.pt")
    found = _cache.read(path, parameters)
    if source.everywhere(found is not None):
        assert found is not None
        return Fisher({n: placed_like(found[n].to(p.device), p) for n, p in parameters.items()}, size)
    values = _computed(module, source, losses, size, kind)
    _cache.write(path, values, writes=source.writes)
    return Fisher(values, size)


def _full(source: Visitor) -> int:
    if source.batch_size is None:
        raise ConfigurationError(
            '`fisher="batch"` must know the size of a full batch, found a loader without `batch_size`. Use '
            '`fisher="sample"`, or a `DataLoader` with `batch_size`.'
        )
    return source.batch_size


def _computed(module: nn.Module, source: Visitor, losses: Losses, size: int, kind: str) -> dict[str, Tensor]:
    squares = SampleSquares(module, losses, source.gradient)

    def of_samples(batch: Any) -> dict[str, Tensor]:
        total, count = squares(batch)
        return total | {_COUNT: _number(count, total)}

    def of_batch(batch: Any) -> dict[str, Tensor]:
        total, found = squares.zeros(), losses(module, batch)
        if len(found) != size:
            return total | {_COUNT: _number(0, total)}
        return total | squared(source.gradient(found.mean())) | {_COUNT: _number(1, total)}

    sums = source.sum(of_samples if kind == "sample" else of_batch)
    count = sums.pop(_COUNT)
    if not count:
        raise ConfigurationError(
            f'`fisher="batch"` must have at least one full batch of {size} samples, found none. Use smaller batches on '
            'both sides, or `fisher="sample"`.'
        )
    return {name: total / count.to(total.dtype) for name, total in sums.items()}


def _number(count: int, beside: dict[str, Tensor]) -> Tensor:
    return torch.tensor(count, device=next(iter(beside.values())).device)
