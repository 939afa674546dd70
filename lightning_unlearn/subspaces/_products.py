from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from typing_extensions import Self

from lightning_unlearn._tensors import local, whole
from lightning_unlearn.subspaces._vectors import LAYERS, Layer, batched, input_vectors, shape_of, vectors_in

_CHUNK = 2**22  # numbers in a block of vectors: 32 MiB in float64


def layers_by_weight(module: nn.Module) -> dict[str, list[Layer]]:
    """The linear and convolution layers of a module by the name of their weight, as `named_parameters` has it.

    Layers that share their weight stand together. A weight that another kind of layer uses too (an embedding), or
    that is computed from other parameters (weight normalisation), is left out: there `W x` is not all that depends on it.

    Example:
        >>> from torch import nn
        >>> from lightning_unlearn.subspaces import layers_by_weight
        >>> list(layers_by_weight(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2))))
        ['0.weight', '2.weight']
    """
    names = {id(p): name for name, p in module.named_parameters()}
    found: dict[str, list[Layer]] = {}
    elsewhere: set[str] = set()
    for layer in module.modules():
        for key, parameter in layer.named_parameters(recurse=False):
            name = names[id(parameter)]
            if isinstance(layer, LAYERS) and key == "weight":
                found.setdefault(name, []).append(layer)
            else:
                elsewhere.add(name)
    return {name: layers for name, layers in found.items() if name not in elsewhere}


class InputProducts:
    """Listens to the layers of a module, and sums `x xᵀ` over the input vectors x of each, in float64.

    A layer that is used several times adds the inputs of each time. An input that is not finite counts as 0.

    Args:
        module: the module.
        positions: see :func:`input_vectors`.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from lightning_unlearn.subspaces import InputProducts
        >>> layer = nn.Linear(2, 1)
        >>> with InputProducts(layer) as products:
        ...     _ = layer(torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
        >>> products.sums
        {'weight': tensor([[[1., 2.],
                 [2., 5.]]], dtype=torch.float64)}
    """

    def __init__(self, module: nn.Module, positions: int | None = None) -> None:
        self._layers = layers_by_weight(module)
        self._positions = positions
        self._sums = {name: _zeros(layers[0]) for name, layers in self._layers.items()}
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> Self:
        for name, layers in self._layers.items():
            for layer in layers:
                handle = layer.register_forward_pre_hook(self._listener(name), with_kwargs=True)
                self._handles.append(handle)
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    @property
    def sums(self) -> dict[str, Tensor]:
        """The sums over all that the layers were given so far, by the name of the weight, shape `(groups, d, d)`."""
        for total in self._sums.values():
            half = _half(total)
            total[:, half:, :half] = total[:, :half, half:].mT
        return dict(self._sums)

    def _listener(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def listen(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            inputs = whole((args[0] if args else kwargs["input"]).detach())
            self._add(name, cast(Layer, layer), inputs)

        return listen

    def _add(self, name: str, layer: Layer, inputs: Tensor) -> None:
        total, positions = self._sums[name], self._positions
        inputs, half = batched(layer, inputs), _half(total)
        each = max(1, vectors_in(layer, inputs, positions) * total.shape[0] * total.shape[-1])
        for part in torch.split(inputs, max(1, _CHUNK // each)):
            vectors = input_vectors(layer, part, positions, torch.float64)
            vectors = vectors.nan_to_num(0.0, 0.0, 0.0)  # not in place: they may be the module's own tensor
            # three quarters of a symmetric product: the fourth is made of its mirror image once, at the end
            total[:, :half].baddbmm_(vectors[..., :half].mT, vectors)
            total[:, half:, half:].baddbmm_(vectors[..., half:].mT, vectors[..., half:])


def _half(total: Tensor) -> int:
    return total.shape[-1] // 2


def _zeros(layer: Layer) -> Tensor:
    groups, length = shape_of(layer)
    return torch.zeros(groups, length, length, dtype=torch.float64, device=local(layer.weight).device)
