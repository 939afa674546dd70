from __future__ import annotations

from collections.abc import Callable, Mapping
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


def enough_positions(module: nn.Module, samples: int | None) -> dict[str, int]:
    """For each layer how many positions of each of so many samples show its subspace: 16 vectors a dimension, 8 a sample.

    None of it for an unknown number of samples: all positions count then.

    Example:
        >>> from torch import nn
        >>> from lightning_unlearn.subspaces import enough_positions
        >>> layers = nn.Sequential(nn.Conv2d(3, 64, 3), nn.Conv2d(64, 64, 3))
        >>> enough_positions(layers, 50_000), enough_positions(layers, 100)
        ({'0.weight': 8, '1.weight': 8}, {'0.weight': 8, '1.weight': 93})
    """
    if samples is None:
        return {}
    lengths = {name: shape_of(layers[0])[1] for name, layers in layers_by_weight(module).items()}
    return {name: max(8, -(-16 * length // max(1, samples))) for name, length in lengths.items()}


class InputProducts:
    """Listens to the layers of a module, and sums `x xᵀ` over the input vectors x of each, in float64.

    A layer that is used several times adds the inputs of each time. An input that is not finite counts as 0.

    Args:
        module: the module.
        positions: by the name of a weight, see :func:`input_vectors`; all for those that are not named.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from lightning_unlearn.subspaces import InputProducts
        >>> layer = nn.Linear(2, 1)
        >>> with InputProducts(layer) as products:
        ...     products.of(lambda: layer(torch.tensor([[1.0, 2.0], [0.0, 1.0]])))
        {'weight': tensor([[[1., 2.],
                 [2., 5.]]], dtype=torch.float64)}
    """

    def __init__(self, module: nn.Module, positions: Mapping[str, int] | None = None) -> None:
        self._layers = layers_by_weight(module)
        self._positions = positions or {}
        self._sums: dict[str, Tensor] = {}
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

    def of(self, run: Callable[[], object]) -> dict[str, Tensor]:
        """The sums over what `run` puts into the layers, by the name of the weight, shape `(groups, d, d)`.

        0 for a layer that is not used. The tensors are overwritten by the next call.
        """
        for name, layers in self._layers.items():
            groups, length = shape_of(layers[0])
            if name in self._sums:
                self._sums[name].zero_()
                continue
            device = local(layers[0].weight).device
            self._sums[name] = torch.zeros(groups, length, length, dtype=torch.float64, device=device)
        run()
        return dict(self._sums)

    def _listener(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def listen(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            inputs = whole((args[0] if args else kwargs["input"]).detach())
            self._add(name, cast(Layer, layer), inputs)

        return listen

    def _add(self, name: str, layer: Layer, inputs: Tensor) -> None:
        total, positions = self._sums[name], self._positions.get(name)
        inputs = batched(layer, inputs)
        if positions is None:  # the patches of all positions are many times as large as the inputs
            inputs = _clean(inputs)
        each = max(1, vectors_in(layer, inputs, positions) * total.shape[0] * total.shape[-1])
        for part in torch.split(inputs, max(1, _CHUNK // each)):
            vectors = input_vectors(layer, part, positions)
            vectors = vectors if positions is None else _clean(vectors)
            total.baddbmm_(vectors.mT, vectors)


def _clean(inputs: Tensor) -> Tensor:
    return inputs.double().nan_to_num(0.0, 0.0, 0.0)
