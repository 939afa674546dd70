"""What the last linear layer is given: where forgotten knowledge hides if only the answers were changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from lightning_unlearn.errors import ConfigurationError


def feature_layer(module: nn.Module, name: str | None) -> str | None:
    """Name of the layer whose input is taken for features: `name`, or the last linear layer; `None` if there is none.

    Raises:
        ConfigurationError: the module has no layer `name`.
    """
    if name is not None:
        if name not in dict(module.named_modules()):
            raise ConfigurationError(
                f"`features` must name a layer of {type(module).__name__}, found {name!r}. Names are those of "
                "`module.named_modules()`."
            )
        return name
    linear = [found for found, layer in module.named_modules() if isinstance(layer, nn.Linear)]
    return linear[-1] if linear else None


@contextmanager
def inputs_of(module: nn.Module, layer: str | None) -> Iterator[list[Tensor]]:
    """Collect the first input of a layer, flattened to (N, D), at every forward pass inside the block."""
    seen: list[Tensor] = []
    if layer is None:
        yield seen
        return

    def keep(_: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        seen.append(next(iter((*inputs, *named.values()))).detach().flatten(1))

    handle = module.get_submodule(layer).register_forward_pre_hook(keep, with_kwargs=True)
    try:
        yield seen
    finally:
        handle.remove()
