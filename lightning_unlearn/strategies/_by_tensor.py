from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lightning_unlearn.gradient import Gradient
from lightning_unlearn.passes import Side


def combined_by_tensor(
    forget: Side, retain: Side, combine: Callable[[Gradient, Gradient], Gradient]
) -> tuple[Gradient, Tensor]:
    """Each parameter's direction from its own two gradients, in the memory of the retain gradient.

    The forget gradient is taken as its backward pass gives it, so that of its tensors one exists at a time.

    Returns:
        The direction, and the cosine of the two whole gradients.
    """
    direction = retain.gradient()
    waiting = set(direction.names)
    products: list[Tensor] = []

    def take(name: str, u: Tensor | None) -> None:
        waiting.discard(name)
        mine, other = Gradient({name: u}), Gradient({name: direction[name]})
        products.append(torch.stack(Gradient.dots((mine, other), (mine, mine), (other, other))))
        direction.put_(name, combine(mine, other)[name])

    forget.for_each_gradient(take)
    for name in [name for name in direction.names if name in waiting]:
        take(name, None)  # not reached by the forget side
    inner, squares, other_squares = torch.stack(products).sum(0)
    length = squares.sqrt() * other_squares.sqrt()
    cosine = torch.where(length > 0, inner / length, torch.zeros_like(inner)).clamp(-1.0, 1.0)
    return direction, cosine
