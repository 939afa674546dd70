"""The arithmetic under `Gradient`: lists of plain or sharded tensors, `None` standing for an absent entry."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias, TypeVar

import torch
import torch.distributed
from torch import Tensor

Entries: TypeAlias = "Sequence[Tensor | None]"
_HALF = (torch.float16, torch.bfloat16)
_FULL = (torch.float32, torch.float64)
_LARGEST = torch.finfo(torch.float32).max
_PLAIN = (Tensor, torch.nn.Parameter)
_Function = TypeVar("_Function", bound=Callable[..., Any])

_HAS_SHARDS = torch.distributed.is_available()
if _HAS_SHARDS:
    from torch.distributed.tensor import DTensor, Replicate
    from torch.distributed.tensor.experimental import implicit_replication


def no_grad(function: _Function) -> _Function:
    """`torch.no_grad`, which takes microseconds even where there is no gradient to switch off."""
    switching = torch.no_grad()(function)

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        return (switching if torch.is_grad_enabled() else function)(*arguments, **options)

    return call  # type: ignore[return-value]  # of the same signature, by `wraps`


def is_sharded(tensor: Tensor) -> bool:
    """Whether `tensor` is a `DTensor`, of which this process holds one shard."""
    return type(tensor) not in _PLAIN and _HAS_SHARDS and isinstance(tensor, DTensor)


def local(tensor: Tensor) -> Tensor:
    """The part of `tensor` that this process holds; shares memory with it."""
    return tensor.to_local() if is_sharded(tensor) else tensor  # type: ignore[attr-defined]  # a DTensor


def whole(tensor: Tensor) -> Tensor:
    """All of `tensor`, the same on every process; of shards it is gathered."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor  # type: ignore[attr-defined]  # a DTensor


def placed_like(tensor: Tensor, like: Tensor) -> Tensor:
    """`tensor` sharded as `like` is: of a whole tensor this process keeps its shard, a partial sum is reduced."""
    if not is_sharded(like):
        return tensor
    if tensor.shape != like.shape:
        raise ValueError(
            f"A tensor beside a sharded one must have its shape, found {list(tensor.shape)} for {list(like.shape)}."
        )
    mesh, placements = like.device_mesh, like.placements  # type: ignore[attr-defined]  # a DTensor
    if not is_sharded(tensor):  # the same on every process: nothing is sent
        on_device = tensor.to(local(like).device)
        tensor = DTensor.from_local(on_device, mesh, [Replicate()] * mesh.ndim, run_check=False)
    same = tensor.placements == placements  # type: ignore[attr-defined]  # a DTensor
    return tensor if same else tensor.redistribute(placements=placements)  # type: ignore[attr-defined]  # a DTensor


def beside_shards(entries: Entries) -> AbstractContextManager[Any]:
    """Where a plain tensor that meets one of `entries`, if they are sharded, counts as the same on every process."""
    return implicit_replication() if has_shards(entries) else nullcontext()


def share(tensor: Tensor, world_size: int) -> float:
    """Weight that makes a sum over all processes count every element once."""
    if not is_sharded(tensor):
        return 1.0 / world_size
    mesh = tensor.device_mesh  # type: ignore[attr-defined]  # a DTensor
    weight = mesh.size() / world_size
    for size, placement in zip(mesh.shape, tensor.placements, strict=True):  # type: ignore[attr-defined]  # a DTensor
        if placement.is_partial():
            raise NotImplementedError(f"gradient placement {placement}")
        if placement.is_replicate():
            weight /= size
    return float(weight)


def has_shards(*vectors: Entries) -> bool:
    """Whether any entry is sharded; the same on every process."""
    if not (_HAS_SHARDS and torch.distributed.is_initialized()):  # asked many times a step
        return False
    return any(t is not None and is_sharded(t) for entries in vectors for t in entries)


@no_grad
def inner_products(pairs: Sequence[tuple[Entries, Entries]]) -> list[Tensor]:
    """One 0-d float64 tensor a pair; one all-reduce for all of them if any entry is sharded."""
    vectors = [entries for pair in pairs for entries in pair]
    sharded = has_shards(*vectors)
    if not sharded and (together := _plain_products(pairs)) is not None:
        return together
    device = next((local(t).device for entries in vectors for t in entries if t is not None), None)
    shares = [share_of_product(left, right, sharded, device) for left, right in pairs]
    return list(summed(torch.stack(shares)).unbind()) if sharded else shares


def _plain_products(pairs: Sequence[tuple[Entries, Entries]]) -> list[Tensor] | None:
    """All inner products with as few operations as there can be; `None` where entries are absent, or differ in type."""
    distinct = {id(entries): entries for pair in pairs for entries in pair}
    tensors = [t for entries in distinct.values() for t in entries if t is not None]
    lengths = {len(entries) for entries in distinct.values()}
    has_all = len(lengths) == 1 and len(tensors) == lengths.pop() * len(distinct) > 0
    if not has_all or tensors[0].dtype not in _FULL or len({(t.dtype, t.device) for t in tensors}) > 1:
        return None
    flat = {
        key: [t if t.ndim == 1 else t.reshape(-1) for t in entries if t is not None]
        for key, entries in distinct.items()
    }
    terms = [
        torch.dot(a, b) for one, other in pairs for a, b in zip(flat[id(one)], flat[id(other)], strict=True)
    ]
    return list(torch.stack(terms).view(len(pairs), -1).double().sum(1).unbind())


def summed(shares: Tensor) -> Tensor:
    """The sum over all processes of what each has a share of, in place."""
    torch.distributed.all_reduce(shares)
    return shares


@no_grad
def share_of_product(
    left: Entries, right: Entries, sharded: bool, device: torch.device | None = None
) -> Tensor:
    """This process's share of an inner product, a 0-d float64 tensor; all of it if nothing is `sharded`."""
    both = [(a, b) for a, b in zip(left, right, strict=True) if a is not None and b is not None]
    if not both:
        return torch.zeros((), dtype=torch.float64, device=device)
    if sharded:
        world_size = torch.distributed.get_world_size()
        terms = [_dot(local(a), local(b)).double() * share(a, world_size) for a, b in both]
    else:
        terms = [_dot(a, b) for a, b in both]
        if len({(term.dtype, term.device) for term in terms}) > 1:
            terms = [term.to(device or terms[0].device, torch.float64) for term in terms]
    return torch.stack(terms).double().sum()


def _dot(a: Tensor, b: Tensor) -> Tensor:
    if a.is_complex():
        a, b = torch.view_as_real(a), torch.view_as_real(b)
    if a.dtype in _HALF:  # a float16 dot product is inf beyond 65504, and then the projection does nothing
        a, b = a.float(), b.float()
    return torch.dot(a.reshape(-1), b.reshape(-1))


def on_host(scalar: float | Tensor, *beside: Entries) -> float | Tensor:
    """`scalar` as a number if reading it does not wait for a device, and arithmetic with numbers is as exact `beside`."""
    if not isinstance(scalar, Tensor) or scalar.device.type != "cpu" or scalar.is_complex():
        return scalar
    # torch rounds a number to the format of the tensor: in bfloat16 it is then off by 0.4 %
    rounds = any(t is not None and t.dtype in _HALF for entries in beside for t in entries)
    number = scalar.item()
    is_too_large = bool(beside) and not -_LARGEST <= number <= _LARGEST  # torch refuses it as a number
    return scalar if rounds or is_too_large else number


@no_grad
def add_(target: Entries, other: Entries, weight: float | Tensor) -> list[Tensor | None]:
    """`target + weight * other`, in place where `target` is present; the list of results."""
    weight = on_host(weight, target, other)
    both = [
        (local(a), local(b)) for a, b in zip(target, other, strict=True) if a is not None and b is not None
    ]
    if isinstance(weight, Tensor):
        for a, b in both:
            _add_one(a, b, weight)
    elif both:
        torch._foreach_add_(*map(list, zip(*both, strict=True)), alpha=weight)
    return [
        a
        if a is not None or b is None
        else b * (weight.to(b.dtype) if isinstance(weight, Tensor) else weight)
        for a, b in zip(target, other, strict=True)
    ]


@no_grad
def scale_(target: Entries, factor: float | Tensor) -> None:
    """`factor * target`, in place."""
    factor = on_host(factor, target)
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


def _add_one(a: Tensor, b: Tensor, weight: Tensor) -> None:
    if a.dtype in _HALF:
        a.copy_(a.float() + b.float() * weight.float())
    else:  # takes the coefficient from the device: no synchronisation, no temporary
        a.addcmul_(b, weight.to(a.dtype))


@no_grad
def where(condition: Tensor, left: Entries, right: Entries) -> list[Tensor | None]:
    """`left` if the 0-d `condition` holds, else `right`, with absent entries as zeros where the other is present."""
    result: list[Tensor | None] = []
    for a, b in zip(left, right, strict=True):
        if a is None and b is None:
            result.append(None)
            continue
        a = torch.zeros_like(b) if a is None else a  # type: ignore[arg-type]  # one of the two is there
        b = torch.zeros_like(a) if b is None else b
        chosen = a.clone()
        local(chosen).copy_(torch.where(condition, local(a), local(b)))
        result.append(chosen)
    return result
