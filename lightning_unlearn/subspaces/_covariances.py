from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lightning_unlearn._tensors import whole
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.predictions import Predict, logits_and_labels
from lightning_unlearn.subspaces._products import InputProducts, layers_by_weight
from lightning_unlearn.subspaces._vectors import shape_of


class _Source(Protocol):
    def for_each(self, visit: Callable[[Any], None]) -> None: ...
    def added(self, sums: Mapping[str, Tensor]) -> dict[str, Tensor]: ...


@dataclass(frozen=True)
class Covariances:
    """The uncentred covariances `Σ x xᵀ` of the inputs of a module's layers over a set of samples; sums, not means.

    Attributes:
        blocks: by the name of the layer's weight, shape `(groups, d, d)`, float64; layers that saw no input are left out.
        scales: by the same names, the norm of the largest sum that a block was computed from, shape `(groups,)`.
        positions: of each sample that were looked at; `None` for all.
        weights: digest of the weights that the inputs were measured with.
    """

    blocks: dict[str, Tensor]
    scales: dict[str, Tensor]
    positions: int | None
    weights: str

    @classmethod
    def measured(
        cls,
        module: nn.Module,
        source: _Source,
        predict: Predict | None = None,
        positions: int | None = None,
    ) -> Covariances:
        """Run every batch of `source` through `module`, once, without gradients.

        Args:
            module: in the state that it is to be measured in; `Source` sees to evaluation mode.
            source: adds up over batches and processes.
            predict: runs the module on a batch, `predict(module, batch)`; what it returns is not looked at. `None` for
                batches (inputs, labels), and `module(inputs)`.
            positions: see :func:`input_vectors`.

        Raises:
            ConfigurationError: the module has no layer to be measured.
        """
        run = predict or logits_and_labels

        def visit(batch: Any) -> None:
            run(module, batch)

        if not layers_by_weight(module):
            raise ConfigurationError(
                f"`{type(module).__name__}` must have an `nn.Linear`, `nn.Conv1d`, `nn.Conv2d` or `nn.Conv3d` with a weight "
                "of its own to be projected, found none. Use another strategy, such as `GradientSurgery`."
            )
        with _uncompiled(), torch.inference_mode(False), torch.no_grad():
            with InputProducts(module, positions) as products:
                source.for_each(visit)
            sums = source.added(products.sums)
            blocks = {name: total.cpu() for name, total in sums.items() if bool(total.any())}
            scales = {name: torch.linalg.matrix_norm(block) for name, block in blocks.items()}
            return cls(blocks, scales, positions, digest_of(module.state_dict()))

    def without(self, others: Covariances) -> Covariances:
        """What is left when the samples of `others` are taken away; the weights are those of `others`.

        Raises:
            ConfigurationError: the samples of `others` have used a layer that is unknown here.
        """
        if unknown := sorted(others.blocks.keys() - self.blocks.keys()):
            raise ConfigurationError(
                f"`predict` must use the layers that `covariance` was measured of, found that it also uses `{unknown[0]}`. "
                "Give the same `predict` as to `InputCovariance`."
            )
        blocks = {n: c - others.blocks[n] if n in others.blocks else c for n, c in self.blocks.items()}
        return Covariances(blocks, self.scales, self.positions, others.weights)

    def scaled(self, factor: float) -> Covariances:
        """Those of `factor` times as many samples of the same kind, as far as these tell."""
        blocks, scales = (
            {n: factor * tensor for n, tensor in of.items()} for of in (self.blocks, self.scales)
        )
        return Covariances(blocks, scales, self.positions, self.weights)

    def misfit(self, module: nn.Module) -> str | None:
        """What keeps these covariances from being those of `module`, as it is now; `None` if nothing does."""
        layers = layers_by_weight(module)
        for name, block in self.blocks.items():
            if name not in layers:
                return f"of a layer `{name}` that the module does not have"
            groups, length = shape_of(layers[name][0])
            if block.shape != (groups, length, length):
                return (
                    f"of shape {list(block.shape)} for `{name}`, whose inputs need {[groups, length, length]}"
                )
        if self.weights != digest_of(module.state_dict()):
            return "of other weights than the module has now"
        return None

    def to_plain(self) -> dict[str, Any]:
        """Tensors and primitives, to be kept in a checkpoint."""
        return vars(self).copy()


def digest_of(state: Mapping[str, Any]) -> str:
    """SHA-256 of names, shapes and values of a state dict; float32 and the same numbers in float64 agree.

    Example:
        >>> from torch import nn
        >>> from lightning_unlearn.subspaces._covariances import digest_of
        >>> layer = nn.Linear(2, 1)
        >>> digest_of(layer.state_dict()) == digest_of(layer.double().state_dict())
        True
    """
    digest = hashlib.sha256()
    named = {name.replace("_orig_mod.", ""): value for name, value in state.items()}
    for name in sorted(named):
        if not isinstance(named[name], Tensor):
            continue
        value = whole(named[name].detach()).cpu()
        value = value.double() if value.is_floating_point() else value
        digest.update(repr((name, list(value.shape))).encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextmanager
def _uncompiled() -> Iterator[None]:
    """Compiled modules run as they are written: a graph that was compiled with our hooks would keep them."""
    set_stance = getattr(torch.compiler, "set_stance", None)  # since torch 2.6
    if set_stance is None:
        yield
        return
    with set_stance("force_eager"):
        yield
