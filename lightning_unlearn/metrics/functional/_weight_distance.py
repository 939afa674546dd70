"""How far two models' weights are apart, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor


class WeightDistance(NamedTuple):
    """What :func:`weight_distance` returns.

    Attributes:
        layers: relative distance of each layer, by the name of its module, in the order of the mapping.
        total: relative distance of all weights together.
    """

    layers: dict[str, Tensor]
    total: Tensor


def weight_distance(state: Mapping[str, Tensor], reference_state: Mapping[str, Tensor]) -> WeightDistance:
    """Relative Euclidean distance `‖θ_l − θ_ref,l‖₂ / ‖θ_ref,l‖₂` of every layer `l`, and of all weights together.

    A layer is what belongs to one module: its name is the tensor's, up to the last dot (`"conv1"` has `"conv1.weight"`
    and `"conv1.bias"`). Tensors that are not floating point, such as counters of batches, are left out. With
    `dict(model.named_parameters())` only parameters count; `model.state_dict()` has running statistics as well.

    Where the reference's norm is 0 the distance is 0 if the layer's is 0, too, and infinite otherwise. Unlike distances
    of outputs it sees changes that do not matter, such as permuted units: two models retrained with different seeds are
    far apart.

    There is no modular twin: this looks at weights, not at samples, and has nothing to gather over batches or processes.

    Source: layer-wise distance of Tarun et al., "Fast Yet Effective Machine Unlearning", TNNLS 2023,
    https://arxiv.org/abs/2111.08947; divided by the reference's norm here, so that layers of any size compare.

    Args:
        state: names and tensors of a model, such as its `state_dict()`.
        reference_state: those of the other model, with the same names and shapes, on any device.

    Returns:
        :class:`WeightDistance` of 0-d float32 tensors, at least 0, each on the device of the first tensor of its layer in
        `state`.

    Raises:
        ValueError: names or shapes differ, there is no floating-point tensor, or a weight is not finite.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import weight_distance
        >>> state = {"fc.weight": torch.tensor([[3.0, 0.0]]), "fc.bias": torch.tensor([4.0])}
        >>> weight_distance(state, {"fc.weight": torch.tensor([[0.0, 0.0]]), "fc.bias": torch.tensor([4.0])})
        WeightDistance(layers={'fc': tensor(0.7500)}, total=tensor(0.7500))
    """
    if state.keys() != reference_state.keys():
        odd = sorted(state.keys() ^ reference_state.keys())
        raise ValueError(
            f"`reference_state` must have the names of `state`, found {len(odd)} that only one of them has, such as "
            f"{odd[0]!r}. Pass the weights of two models of one architecture."
        )
    squares: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if tensor.is_floating_point():
            layer = name.rpartition(".")[0] or name
            pair = _squares(name, tensor, reference_state[name])
            squares[layer] = squares[layer] + pair.to(squares[layer].device) if layer in squares else pair
    if not squares:
        raise ValueError(
            f"`state` must have a floating-point tensor, found none among {len(state)}. Pass the weights of a model."
        )
    first = next(iter(squares.values()))
    total = torch.stack([pair.to(first.device) for pair in squares.values()]).sum(0)
    return WeightDistance({layer: _relative(pair) for layer, pair in squares.items()}, _relative(total))


def _squares(name: str, tensor: Tensor, reference: Tensor) -> Tensor:
    """Squared norms of the difference and of the reference."""
    if tensor.shape != reference.shape:
        raise ValueError(
            f"`reference_state` must have tensors of the shapes in `state`, found {tuple(reference.shape)} for "
            f"{tuple(tensor.shape)} at {name!r}. Pass the weights of two models of one architecture."
        )
    ours = tensor.detach().double()
    theirs = reference.detach().to(ours)
    pair = torch.stack([(ours - theirs).square().sum(), theirs.square().sum()])
    for argument, values in (("state", ours), ("reference_state", theirs)):
        bad = int((~values.isfinite()).sum())
        if bad:
            raise ValueError(
                f"`{argument}` must be finite, found {bad} of {values.numel()} weights at {name!r} that are not. "
                "Compare models whose training has not diverged."
            )
    return pair


def _relative(pair: Tensor) -> Tensor:
    relative: Tensor = pair[0].sqrt() / pair[1].sqrt()
    return (relative if pair[0] > 0 else pair[0]).float()
