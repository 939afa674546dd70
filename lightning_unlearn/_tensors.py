"""The arithmetic under `Gradient`: lists of plain or sharded tensors, `None` standing for an absent entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
import torch.distributed
from torch import Tensor

Entries: TypeAlias = "Sequence[Tensor | None]"
_HALF = (torch.float16, torch.bfloat16)

if torch.distributed.is_available():
    from torch.distributed.tensor import DTensor, Replicate, Shard


# the type checker does not see that `is_sharded` narrows to DTensor: hence the ignored attributes below
def is_sharded(tensor: Tensor) -> bool:
    """Whether `tensor` is a `DTensor`, of which this process holds one shard."""
    return torch.distributed.is_available() and isinstance(tensor, DTensor)


def local(tensor: Tensor) -> Tensor:
    """The part of `tensor` that this process holds; shares memory with it."""
    return tensor.to_local() if is_sharded(tensor) else tensor  # type: ignore[attr-defined]


def share(tensor: Tensor, world_size: int) -> float:
    """Weight that makes a sum over all processes count every element once."""
    if not is_sharded(tensor):
        return 1.0 / world_size
    mesh = tensor.device_mesh  # type: ignore[attr-defined]
    weight = mesh.size() / world_size
    for size, placement in zip(mesh.shape, tensor.placements, strict=True):  # type: ignore[attr-defined]
        if isinstance(placement, Replicate):
            weight /= size
        elif not isinstance(placement, Shard):
            raise NotImplementedError(f"gradient placement {placement}")
    return float(weight)


@torch.no_grad()
def inner_products(pairs: Sequence[tuple[Entries, Entries]]) -> list[Tensor]:
    """One 0-d float64 tensor a pair; one all-reduce for all of them if any entry is sharded."""
    everything = [t for pair in pairs for entries in pair for t in entries if t is not None]
    sharded = any(is_sharded(t) for t in everything)
    world_size = torch.distributed.get_world_size() if sharded else 1
    products = []
    for left, right in pairs:
        both = [(a, b) for a, b in zip(left, right, strict=True) if a is not None and b is not None]
        if sharded:
            terms = [_dot(local(a), local(b)).double() * share(a, world_size) for a, b in both]
        else:
            terms = [_dot(a, b) for a, b in both]
            if len({term.dtype for term in terms}) > 1:
                terms = [term.double() for term in terms]
        device = local(everything[0]).device if everything else None
        products.append(
            torch.stack(terms).double().sum()
            if terms
            else torch.zeros((), dtype=torch.float64, device=device)
        )
    if sharded:
        stacked = torch.stack(products)
        torch.distributed.all_reduce(stacked)
        products = list(stacked.unbind())
    return products


def _dot(a: Tensor, b: Tensor) -> Tensor:
    if a.is_complex():
        a, b = torch.view_as_real(a), torch.view_as_real(b)
    a, b = a.reshape(-1), b.reshape(-1)
    if (
        a.dtype in _HALF
    ):  # a float16 dot product is inf beyond 65504, and then the projection silently does nothing
        a, b = a.float(), b.float()
    return torch.dot(a, b)


@torch.no_grad()
def add_(target: Entries, other: Entries, weight: float | Tensor) -> list[Tensor | None]:
    """`target + weight * other`, in place where `target` is present; the list of results."""
    result: list[Tensor | None] = []
    for a, b in zip(target, other, strict=True):
        if b is None:
            result.append(a)
        elif a is None:
            result.append(b * weight if not isinstance(weight, Tensor) else b * weight.to(b.dtype))
        else:
            _add_one(local(a), local(b), weight)
            result.append(a)
    return result


@torch.no_grad()
def scale_(target: Entries, factor: float | Tensor) -> None:
    """`factor * target`, in place."""
    present = [local(t) for t in target if t is not None]
    if not isinstance(factor, Tensor):
        if present:
            torch._foreach_mul_(present, factor)
        return
    for tensor in present:
        if tensor.dtype in _HALF:
            tensor.copy_(tensor.float() * factor.float())
        else:
            tensor.mul_(factor.to(tensor.dtype))


def _add_one(a: Tensor, b: Tensor, weight: float | Tensor) -> None:
    if not isinstance(weight, Tensor):
        a.add_(b, alpha=weight)
    elif a.dtype in _HALF:  # a coefficient rounded to bfloat16 is off by 0.4 %
        a.copy_(a.float() + b.float() * weight.float())
    else:
        a.addcmul_(
            b, weight.to(a.dtype)
        )  # takes the coefficient from the device: no synchronisation, no temporary


@torch.no_grad()
def where(condition: Tensor, left: Entries, right: Entries) -> list[Tensor | None]:
    """`left` if the 0-d `condition` holds, else `right`, with absent entries as zeros where the other is present."""
    result: list[Tensor | None] = []
    for a, b in zip(left, right, strict=True):
        if a is None and b is None:
            result.append(None)
            continue
        a = torch.zeros_like(b) if a is None else a  # type: ignore[arg-type]
        b = torch.zeros_like(a) if b is None else b
        chosen = a.clone()
        local(chosen).copy_(torch.where(condition, local(a), local(b)))
        result.append(chosen)
    return result
