from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from typing_extensions import override

from lightning_unlearn._tensors import is_sharded
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.importance._rows import Rows

Losses: TypeAlias = Callable[[nn.Module, Any], Tensor]
_AT_ONCE = 2**26  # entries of gradients that exist at one time: 256 MiB in float32


class _Bare(nn.Module):
    """Its forward pass is the loss of a batch of one sample, so that `functional_call` can be given the weights."""

    def __init__(self, module: nn.Module, losses: Losses) -> None:
        super().__init__()
        self.module, self.losses = module, losses

    @override
    def forward(self, batch: Any) -> Tensor:
        return of_one(self.losses(self.module, batch))


class SampleSquares:
    """Sums, over the samples of a batch, of the squared gradients of each sample's own loss.

    By `torch.func.vmap` in pieces that fit into memory; one sample after the other where that is impossible (sharded
    weights, control flow that depends on data, custom kernels). A sample whose gradient is not finite counts as one
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
        bare = _Bare(self._module, self._losses)
        current = dict(self._module.named_parameters())  # of now: `_like` may be of another place
        weights = {f"module.{n}": current[n].detach() for n in self._like}

        def loss(parameters: dict[str, Tensor], *tensors: Tensor) -> Tensor:
            sample = rows.sample([tensor.unsqueeze(0) for tensor in tensors])
            return cast(Tensor, functional_call(bare, parameters, (sample,)))

        of_each = vmap(grad(loss), in_dims=(None, *(0 for _ in rows.tensors)))
        total = self.zeros()
        for piece in self._pieces(rows):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "There is a performance drop")
                gradients = of_each(weights, *piece)
            flat = {n: gradients[f"module.{n}"].detach().flatten(1) for n in total}
            finite = torch.stack([g.isfinite().all(1) for g in flat.values()]).all(0)
            for n, g in flat.items():
                squares = g.to(total[n].dtype).square().nan_to_num(0.0, 0.0, 0.0)
                total[n] += (finite.to(squares.dtype) @ squares).view_as(total[n])
        return total

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
