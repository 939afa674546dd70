from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.func import grad, vmap

from lightning_unlearn._tensors import is_sharded
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.importance._rows import Rows

Losses: TypeAlias = Callable[[nn.Module, Any], Tensor]
_AT_ONCE = 2**26  # entries of gradients that exist at one time: 256 MiB in float32


@contextmanager
def _standing_in(module: nn.Module, weights: dict[str, Tensor]) -> Iterator[None]:
    """Hold `weights` in the places of the parameters of these names, wherever they are used.

    `torch.func.functional_call` leaves its tensors behind in a module that is registered under two names.
    """
    parameters = {id(p): weights[n] for n, p in module.named_parameters() if n in weights}
    places = [(m._parameters, n, p) for m in module.modules() for n, p in m._parameters.items()]
    places = [(owner, n, p) for owner, n, p in places if id(p) in parameters]
    try:
        for owner, n, p in places:
            owner[n] = parameters[id(p)]  # type: ignore[assignment]  # torch does the same
        yield
    finally:
        for owner, n, p in places:
            owner[n] = p


class SampleSquares:
    """Sums, over the samples of a batch, of the squared gradients of each sample's own loss.

    By `torch.func.vmap` in pieces that fit into memory; one sample after the other where that is impossible (sharded
    weights, control flow that depends on data, custom kernels), or gives the first sample something else. A sample whose gradient is not finite counts as one
    without a gradient.

    Args:
        module: in evaluation mode, or its samples depend on one another.
        losses: of a module and a batch, the loss of each sample.
        gradient: of a loss, by name of the trainable parameters.
    """

    def __init__(
        self, module: nn.Module, losses: Losses, gradient: Callable[[Tensor], dict[str, Tensor]]
    ) -> None:
        self._module, self._losses, self._gradient = module, losses, gradient
        self._like = {n: p.detach() for n, p in module.named_parameters() if p.requires_grad}
        self._vectorises = not any(is_sharded(p) for p in module.parameters())
        self._is_tried = False

    def __call__(self, batch: Any) -> tuple[dict[str, Tensor], int]:
        """The sums by parameter name, in at least float32, and the number of samples."""
        rows = Rows(batch)
        if not rows.tensors:
            raise ConfigurationError(
                '`fisher="sample"` must have batches of tensors whose first dimension counts the samples, found none in '
                f'a {type(batch).__name__}. Use `fisher="batch"`.'
            )
        if self._vectorises:
            try:
                self._vectorises = self._is_tried or self._agree(rows)
                self._is_tried = True
                if self._vectorises:
                    return self._together(rows), len(rows)
            except ConfigurationError:
                raise
            except (
                Exception
            ):  # whatever is wrong with the user's function, one sample after the other shows it
                self._vectorises = False
        return self._one_by_one(rows), len(rows)

    # ---- helpers -----------------------------------------------------------------------------------------------
    def zeros(self) -> dict[str, Tensor]:
        """A zero for every trainable parameter."""
        return {n: torch.zeros_like(p, dtype=_at_least_float32(p.dtype)) for n, p in self._like.items()}

    def _together(self, rows: Rows) -> dict[str, Tensor]:
        def loss(parameters: dict[str, Tensor], *tensors: Tensor) -> Tensor:
            sample = rows.sample([tensor.unsqueeze(0) for tensor in tensors])
            with _standing_in(self._module, parameters):
                return of_one(self._losses(self._module, sample))

        of_each = vmap(grad(loss), in_dims=(None, *(0 for _ in rows.tensors)))
        total = self.zeros()
        for piece in self._pieces(rows):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "There is a performance drop")
                gradients = of_each(self._like, *piece)
            flat = {n: gradients[n].detach().flatten(1) for n in total}
            finite = torch.stack([g.isfinite().all(1) for g in flat.values()]).all(0)
            for n, g in flat.items():
                squares = g.to(total[n].dtype).square().nan_to_num(0.0, 0.0, 0.0)
                total[n] += (finite.to(squares.dtype) @ squares).view_as(total[n])
        return total

    def _agree(self, rows: Rows) -> bool:
        """Whether both ways give the first sample the same: a module may hold on to its parameters elsewhere, too."""
        first = Rows(rows.sample([tensor[:1] for tensor in rows.tensors]))
        ours, theirs = self._together(first), self._one_by_one(first)
        return all(bool((ours[n] - s).norm() <= 0.1 * s.norm()) for n, s in theirs.items())

    def _pieces(self, rows: Rows) -> Iterator[list[Tensor]]:
        size = max(1, _AT_ONCE // max(1, sum(p.numel() for p in self._like.values())))
        for start in range(0, len(rows), size):
            yield [tensor[start : start + size] for tensor in rows.tensors]

    def _one_by_one(self, rows: Rows) -> dict[str, Tensor]:
        total = self.zeros()
        for i in range(len(rows)):
            batch = rows.sample([tensor[i : i + 1] for tensor in rows.tensors])
            gradients = self._gradient(of_one(self._losses(self._module, batch)))
            for n, g in squared(gradients).items():
                total[n] += g
        return total


def of_one(losses: Tensor) -> Tensor:
    """The loss of the only sample of a batch."""
    if losses.numel() != 1:
        raise ConfigurationError(
            f'`fisher="sample"` must find one loss in a batch of one sample, found shape {tuple(losses.shape)}. Have '
            'every tensor of a batch count the samples in its first dimension, or use `fisher="batch"`.'
        )
    return losses.sum()


def squared(gradients: dict[str, Tensor]) -> dict[str, Tensor]:
    """Squares in at least float32; zeros if an entry anywhere is not finite."""
    squares = {n: g.to(_at_least_float32(g.dtype)).square() for n, g in gradients.items()}
    if not squares:
        return {}
    total = torch.stack([_sum(s) for s in squares.values()]).sum()
    finite = total.isfinite()
    return {n: torch.where(finite, s, torch.zeros_like(s)) for n, s in squares.items()}


def _sum(tensor: Tensor) -> Tensor:
    total = tensor.double().sum()
    return total.full_tensor() if is_sharded(total) else total  # type: ignore[attr-defined]  # a DTensor


def _at_least_float32(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)
