"""A gradient as a vector: sums, inner products and projections over a list of tensors.

Sign convention of the whole package: a `Gradient` is the gradient of a loss **to be descended**. Who wants to
ascend writes the minus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from typing_extensions import Self, override

from lightning_unlearn import _checks
from lightning_unlearn._tensors import (
    add_,
    beside_shards,
    has_shards,
    inner_products,
    no_grad,
    on_host,
    placed_like,
    scale_,
    share_of_product,
    where,
)

Scalar: TypeAlias = "float | Tensor"
_serials = count()


class Gradient:
    """A vector of the space of gradients, held as one tensor per trainable parameter, never flattened.

    An entry may be **absent** (`None`): the parameter received no gradient. It counts as zero, and stays absent in
    a result when it is absent in every operand, so that an optimiser with weight decay leaves the parameter alone.

    Inner products are accumulated in float64 over tensors and in at least float32 inside one. Entries may be
    `DTensor`: the algebra then acts on the local shards and inner products are global. Nothing here synchronises
    with the host; scalars may be numbers or 0-d tensors.

    Methods with a trailing underscore work in place and return `self`; the others leave their operands alone.
    Change the entries through these methods only: inner products are remembered until the next change.

    Args:
        tensors: parameter name to tensor (or `None`), or an iterable of tensors, which are then named "0", "1", ...

    Example:
        >>> import torch
        >>> from lightning_unlearn import Gradient
        >>> forget = Gradient({"weight": torch.tensor([1.0, -1.0]), "bias": torch.tensor([2.0])})
        >>> retain = Gradient({"weight": torch.tensor([0.0, 4.0]), "bias": torch.tensor([0.0])})
        >>> forget.dot(retain)
        tensor(-4., dtype=torch.float64)
        >>> forget.project_off(retain)
        Gradient(weight: [2], bias: [1])
        >>> forget.project_off(retain).dot(retain)
        tensor(0., dtype=torch.float64)
    """

    __slots__ = ("_products", "_remembered", "_serial", "_version", "_watched", "names", "tensors")

    def __init__(self, tensors: Mapping[str, Tensor | None] | Iterable[Tensor | None]) -> None:
        if not isinstance(tensors, Mapping):
            tensors = {str(i): tensor for i, tensor in enumerate(tensors)}
        self.names: tuple[str, ...] = tuple(tensors)
        self.tensors: list[Tensor | None] = list(tensors.values())
        self._serial = next(_serials)
        self._version = 0
        self._watched: int | None = None
        self._remembered: Tensor | None = None
        # keyed by serial numbers, not by references: a reference to `self` would keep the tensors until the next gc
        self._products: dict[tuple[int, int, int], Tensor] = {}

    # ---- looking inside ----------------------------------------------------------------------------------------
    def items(self) -> Iterator[tuple[str, Tensor | None]]:
        """Iterate over (parameter name, tensor or `None`)."""
        return zip(self.names, self.tensors, strict=True)

    def __getitem__(self, name: str) -> Tensor | None:
        return self.tensors[self.names.index(name)]

    def __len__(self) -> int:
        return len(self.names)

    @override
    def __repr__(self) -> str:
        entries = (f"{n}: {'absent' if t is None else list(t.shape)}" for n, t in self.items())
        return f"Gradient({', '.join(entries)})"

    # ---- inner products ----------------------------------------------------------------------------------------
    @staticmethod
    def dots(*pairs: tuple[Gradient, Gradient]) -> list[Tensor]:
        """Inner products of several pairs, with a single all-reduce where entries are sharded.

        Returns:
            One 0-d float64 tensor a pair, on the gradients' device.
        """
        missing = []
        for a, b in pairs:
            a._check_aligned(b)
            if a._recall(b) is None:
                missing.append((a, b))
        if missing:
            values = inner_products([(a.tensors, b.tensors) for a, b in missing])
            for (a, b), value in zip(missing, values, strict=True):
                a._products[b._serial, a._version, b._version] = value
        recalled = [a._recall(b) for a, b in pairs]
        return [value for value in recalled if value is not None]

    def dot(self, other: Gradient) -> Tensor:
        """Inner product with `other`, a 0-d float64 tensor; see :meth:`dots` for several at once."""
        return Gradient.dots((self, other))[0]

    def norm(self) -> Tensor:
        """Euclidean norm, a 0-d float64 tensor."""
        return self.dot(self).sqrt()

    def cosine(self, other: Gradient) -> Tensor:
        """Cosine of the angle to `other`, in [-1, 1]; 0 where one of the two is zero. A 0-d float64 tensor."""
        inner, own, others = Gradient.dots((self, other), (self, self), (other, other))
        length = own.sqrt() * others.sqrt()
        return torch.where(length > 0, inner / length, torch.zeros_like(inner)).clamp(-1.0, 1.0)

    def share_of_square(self) -> Tensor:
        """This process's share of the squared norm, a 0-d float64 tensor: the shares of all processes add up to it.

        Takes no all-reduce; all of the squared norm where no entry is sharded.
        """
        if not has_shards(self.tensors):
            return self.dot(self)
        known = self._recall(self)
        if known is not None:
            return known / torch.distributed.get_world_size()
        return share_of_product(self.tensors, self.tensors, sharded=True)

    def remember_norm(self) -> None:
        """Remember the norm of today, to be asked for by :meth:`remembered_share` after later changes."""
        self._watched, self._remembered = self._version, None

    def remembered_share(self) -> Tensor:
        """:meth:`share_of_square` when :meth:`remember_norm` was called; computed at the latest moment possible."""
        if self._remembered is None:
            return self.share_of_square()
        return self._remembered

    @property
    def changed(self) -> bool:
        """Whether it was changed in place since :meth:`remember_norm`."""
        return self._watched is not None and self._version != self._watched

    def _changing(self) -> None:
        if self._version == self._watched:
            self._remembered = self.share_of_square()
        self._version += 1

    def _recall(self, other: Gradient) -> Tensor | None:
        value = self._products.get((other._serial, self._version, other._version))
        if value is None:
            value = other._products.get((self._serial, other._version, self._version))
        return value

    # ---- algebra -----------------------------------------------------------------------------------------------
    def clone(self) -> Gradient:
        """A copy with memory of its own."""
        return self._like([None if t is None else t.clone() for t in self.tensors])

    def add_(self, other: Gradient, weight: Scalar = 1.0) -> Self:
        """In place `self + weight * other`; an entry absent here and present in `other` becomes present."""
        self._check_aligned(other)
        self._changing()
        self.tensors = add_(self.tensors, other.tensors, weight)
        return self

    def put_(self, name: str, tensor: Tensor | None) -> Self:
        """In place, a new value for one entry, in the memory of the old one where there is one."""
        self._changing()
        i = self.names.index(name)
        old = self.tensors[i]
        if old is None or tensor is None:
            self.tensors[i] = tensor
        elif old is not tensor:
            old.copy_(tensor)
        return self

    def mul_(self, scalar: Scalar) -> Self:
        """In place `scalar * self`."""
        self._changing()
        if isinstance(scalar, Tensor) or scalar != 1.0:
            scale_(self.tensors, scalar)
        return self

    def project_off_(self, other: Gradient, *, when: Literal["always", "conflict"] = "always") -> Self:
        """In place :meth:`project_off`."""
        return self.add_(other, -self.coefficient(other, when=when))

    def project_off(self, other: Gradient, *, when: Literal["always", "conflict"] = "always") -> Gradient:
        """What is left of `self` without its component along `other`.

        `self - (self·other / other·other) other`; with `when="conflict"` only if `self·other < 0`, else `self`.
        A zero `other` leaves `self` unchanged. There is no absolute epsilon: one of 1e-12 would leave a part of the
        component in place when gradients are small.
        """
        # asked of `self`, whose inner products may be known already
        return self.clone().add_(other, -self.coefficient(other, when=when))

    def coefficient(self, other: Gradient, *, when: Literal["always", "conflict"] = "always") -> Tensor:
        """The number `c` for which `c * other` is what :meth:`project_off` takes away; 0-d, float64."""
        _checks.one_of("when", when, ("always", "conflict"))
        inner, square = Gradient.dots((self, other), (other, other))
        return _quotient(inner, square, only_negative=when == "conflict")

    def keep(self, mask: Gradient | Mapping[str, Tensor]) -> Gradient:
        """The entries where `mask` (0/1 or bool, same shapes, by name) is true; zero elsewhere.

        A parameter that `mask` does not name is zeroed as a whole. Beside a sharded entry a mask may be sharded alike,
        or whole and the same on every process.
        """
        masks = dict(mask.items()) if isinstance(mask, Gradient) else mask

        def select(name: str, tensor: Tensor) -> Tensor:
            chosen = masks.get(name)
            return torch.zeros_like(tensor) if chosen is None else tensor * chosen

        return self.map(select)

    @no_grad
    def map(self, fn: Callable[[str, Tensor], Tensor]) -> Gradient:
        """Apply `fn(parameter name, tensor)` to every entry that is present.

        A sharded entry is handed over as the `DTensor` it is. Plain tensors that `fn` uses beside it, or returns for
        it, are taken to be whole, and the same on every process.
        """
        with beside_shards(self.tensors):
            return self._like(
                [
                    None if t is None else placed_like(fn(n, t), t)
                    for n, t in zip(self.names, self.tensors, strict=True)
                ]
            )

    def where(self, condition: Tensor, other: Gradient) -> Gradient:
        """`self` where the 0-d bool tensor `condition` is true, else `other`; decided on the device."""
        self._check_aligned(other)
        return self._like(where(condition, self.tensors, other.tensors))

    def __add__(self, other: Gradient) -> Gradient:
        return self.clone().add_(other)

    def __sub__(self, other: Gradient) -> Gradient:
        return self.clone().add_(other, -1.0)

    def __neg__(self) -> Gradient:
        return self.clone().mul_(-1.0)

    def __mul__(self, scalar: Scalar) -> Gradient:
        return self.clone().mul_(scalar)

    __rmul__ = __mul__

    def __truediv__(self, scalar: Scalar) -> Gradient:
        return self.clone().mul_(1.0 / scalar)

    # ---- helpers -----------------------------------------------------------------------------------------------
    def _like(self, tensors: Iterable[Tensor | None]) -> Gradient:
        return Gradient(dict(zip(self.names, tensors, strict=True)))

    def _check_aligned(self, other: Gradient) -> None:
        if self.names is not other.names and self.names != other.names:
            differing = sorted(set(self.names) ^ set(other.names)) or ["the order"]
            raise ValueError(
                f"`other` must be aligned with the same parameters, found a difference in {differing[:3]}."
            )


def _quotient(inner: Tensor, square: Tensor, *, only_negative: bool) -> Tensor:
    """`inner / square`, and 0 where the square is 0 or, with `only_negative`, where `inner` is not below 0."""
    a, b = on_host(inner), on_host(square)
    tiny = torch.finfo(square.dtype).tiny
    # a non-finite product must come through as NaN, or the step would look healthy
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        removes = square >= tiny
        if only_negative:
            removes = removes & (inner < 0)
        return torch.where(removes, inner / square, 0.0) + (inner * 0.0 + square * 0.0)
    quotient = a / b if b >= tiny and (a < 0 or not only_negative) else 0.0
    return square.new_tensor(quotient + (a * 0.0 + b * 0.0))
