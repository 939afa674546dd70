"""Gradients that are handed over one by one as a backward pass reaches them, and never exist all at once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from torch import Tensor, nn

from lightning_unlearn.errors import ConfigurationError

Visit: TypeAlias = Callable[[str, Tensor, Tensor], None]  # parameter name, its gradient, the loss


@contextmanager
def taken_on_arrival(
    parameters: Mapping[str, nn.Parameter], scale: Tensor | None, loss: Tensor, visit: Visit
) -> Iterator[None]:
    """Call `visit` with each parameter's gradient, unscaled, once it is complete; `p.grad` is then empty again.

    Args:
        parameters: whose gradients.
        scale: the scaler's factor; `None` without one.
        loss: handed on to `visit`.
        visit: takes the gradients.
    """
    seen: set[str] = set()

    def hook(name: str, parameter: Tensor) -> None:
        if name in seen:
            raise ConfigurationError(
                '`granularity="tensor"` must get each gradient in one piece, found that of parameter '
                f"`{name}` in several: reentrant checkpointing runs a backward pass of its own. Use "
                "`torch.utils.checkpoint.checkpoint(..., use_reentrant=False)`."
            )
        seen.add(name)
        gradient, parameter.grad = parameter.grad, None
        assert gradient is not None
        visit(name, gradient if scale is None else gradient.mul_(1.0 / scale), loss)

    handles = []
    for name, parameter in parameters.items():
        take = functools.partial(hook, name)
        handles.append(parameter.register_post_accumulate_grad_hook(take))  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
