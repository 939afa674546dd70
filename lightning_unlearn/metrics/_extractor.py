"""A user's network, run on images as it is and left as it was, under a name that cannot be mistaken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lightning_unlearn.metrics.features import InceptionFeatures

RESERVED = re.compile(r"\b(fid|kid|inception[ _-]?score)\b", re.IGNORECASE)


class Extractor:
    """A network with a name, that makes one row of numbers of each image.

    It is no submodule of the metric that holds it: the metric does not move it, does not save it and does not show its
    weights to an optimiser. It runs in evaluation mode, without gradients, outside of autocasting, in the type of its weights
    (without any, at least float32) and on its device; afterwards each of its layers is in the mode that it was in.

    Args:
        module: maps images (N, C, H, W), or what `update` is given, to a tensor (N, D).
        name: what to call it; `None` for :class:`InceptionFeatures`, which has its name.
        argument: what the metric calls `module`, for messages.
    """

    def __init__(self, module: nn.Module, name: str | None, argument: str = "feature_extractor") -> None:
        if not isinstance(module, nn.Module):
            raise ValueError(
                f"`{argument}` must be a torch.nn.Module, found {type(module).__name__}. Wrap a function in a module whose "
                "`forward` calls it."
            )
        # not a subclass, which may have another `forward`
        self.standard = module.layer if type(module) is InceptionFeatures else None
        if (name is None) != (self.standard is not None):
            raise ValueError(
                f"`name` must be {'None' if self.standard else 'given'} for {type(module).__name__}, found {name!r}. Pass the "
                "name of your network and its training data: values from different networks are not comparable."
            )
        if name is not None and (not name.strip() or RESERVED.search(name)):
            raise ValueError(
                f"`name` must say which network it is, and not the name of a standard score, found {name!r}. Only "
                "`InceptionFeatures` gives FID, KID and inception score; name yours as in 'mnist-classifier-200'."
            )
        self.module = module
        self.name = name if name is not None else f"Inception, {self.standard}"
        self.argument = argument

    def label(self, what: str, *, standard: str | None = None, layer: str = "2048") -> str:
        """`what`, with the name of the network in brackets; `standard` if this is the layer of the network that it is for."""
        return standard if standard is not None and self.standard == layer else f"{what} ({self.name})"

    def __call__(self, images: Tensor) -> Tensor:
        """Features in their own type, (N, D); for no images (0, 0)."""
        _finite(images)
        if len(images) == 0:
            return torch.empty(0, 0)
        tensors = [*self.module.parameters(), *self.module.buffers()]
        floating = next((t for t in tensors if t.is_floating_point()), None)
        if floating is not None:
            images = images.to(floating.device, floating.dtype if images.is_floating_point() else None)
        elif images.dtype in (torch.float16, torch.bfloat16):
            images = images.float()
        with as_it_is(self.module), torch.autocast(images.device.type, enabled=False):
            features: object = self.module(images.detach())
        if not isinstance(features, Tensor) or features.ndim != 2 or len(features) != len(images):
            found = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise ValueError(
                f"`{self.argument}` must return a tensor of shape ({len(images)}, D) for {len(images)} images, found {found}. "
                "Flatten or pool what it returns."
            )
        return features.detach()


def _finite(images: Tensor) -> None:
    if images.ndim < 2:
        raise ValueError(
            f"`images` must be a tensor with one row for each image, found the shape {tuple(images.shape)}. Pass a batch (N, C, H, W)."
        )
    bad = int((~images.isfinite()).flatten(1).any(1).sum()) if images.is_floating_point() else 0
    if bad:
        raise ValueError(
            f"`images` must be finite, found {bad} of {len(images)} that are not. Look at the generator, or leave them out."
        )


@contextmanager
def as_it_is(module: nn.Module) -> Iterator[None]:
    """Evaluation mode, without gradients; each layer's own mode comes back."""
    modes = [(layer, layer.training) for layer in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for layer, training in modes:
            layer.training = training
