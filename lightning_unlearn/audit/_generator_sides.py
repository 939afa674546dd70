"""One pass over each side of a generator's data: who the samples are, what the models say of them, some of the real images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.seed import isolate_rng
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_unlearn.audit._generator_images import check_shape
from lightning_unlearn.audit._generator_options import GeneratorOptions, Measure
from lightning_unlearn.audit._identity import check_apart, identifiers
from lightning_unlearn.audit._scoring import on_device
from lightning_unlearn.audit._statistics import Array
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.metrics._extractor import as_it_is


@dataclass
class Side:
    """One side.

    Attributes:
        names: identifiers of its samples.
        labels: of its samples; `None` if the batches have none.
        values: by name of the measure, by model: of each sample.
    """

    names: list[str] = field(default_factory=list)
    labels: NDArray[np.int64] | None = None
    values: dict[str, dict[str, Array]] = field(default_factory=dict)

    def where(self, chosen: NDArray[np.bool_]) -> dict[str, dict[str, Array]]:
        """Values of some of its samples."""
        return {
            name: {model: values[chosen] for model, values in of.items()} for name, of in self.values.items()
        }


def visit(
    name: str,
    loader: DataLoader[Any],
    models: Mapping[str, LightningModule],
    options: GeneratorOptions,
    apart: Mapping[str, Sequence[str]],
    see: Callable[[Tensor], None],
    after_batch: Callable[[], None],
) -> Side:
    """One pass over a side.

    Args:
        name: of the side.
        loader: of its batches: images, or sequences of images, labels and whatever else.
        models: by name, in eval mode, on their device.
        options: of the audit.
        apart: by name of another side, the samples that this one must not have.
        see: given up to `options.samples` of its images, drawn without replacement, a batch at a time.
        after_batch: called after each.

    Raises:
        ConfigurationError: a batch does not fit, or sides share samples.
    """
    total = len(loader.dataset)  # type: ignore[arg-type]  # `loaders_of` has seen to it
    stream = torch.Generator().manual_seed(options.seed)
    chosen = torch.zeros(total, dtype=torch.bool)
    chosen[torch.randperm(total, generator=stream)[: options.samples]] = True
    side = Side()
    labels: list[Tensor | None] = []
    values: dict[str, dict[str, list[Tensor]]] = {}
    with isolate_rng():
        torch.manual_seed(options.seed)  # for a loader that shuffles
        for batch in loader:
            images, of_batch = _parts(name, batch)
            start, end = len(side.names), len(side.names) + len(images)
            names = identifiers(batch, len(images), options.identify)
            for other, known in apart.items():
                check_apart(other, known, name, names)
            side.names += names
            labels.append(of_batch)
            see(images[chosen[start:end]])
            for measure in options.measures():
                for model, module in models.items():
                    found = _values(measure, module, batch, len(images), options.seed + start)
                    values.setdefault(measure.name, {}).setdefault(model, []).append(found)
            after_batch()
    if all(of_batch is not None for of_batch in labels):
        side.labels = torch.cat([of_batch for of_batch in labels if of_batch is not None]).numpy()
    side.values = {
        name: {model: torch.cat(parts).numpy() for model, parts in of.items()} for name, of in values.items()
    }
    return side


def _parts(name: str, batch: Any) -> tuple[Tensor, Tensor | None]:
    several = isinstance(batch, Sequence)
    images = batch[0] if several and batch else batch
    if not isinstance(images, Tensor):
        raise ConfigurationError(
            f"`{name}` must give batches of images, found {type(images).__name__}. Pass tensors, or sequences whose first "
            "element is one."
        )
    check_shape(name, images)
    labels = batch[1] if several and len(batch) > 1 else None
    if not isinstance(labels, Tensor) or labels.is_floating_point() or labels.shape != images.shape[:1]:
        return images, None
    return images, labels.long().cpu()


def _values(measure: Measure, module: LightningModule, batch: Any, count: int, seed: int) -> Tensor:
    """Of each sample, in float64; infinitely bad where the model gives no number."""
    with isolate_rng(), as_it_is(module):
        torch.manual_seed(seed)  # models that draw are given the same numbers
        found: object = measure.of(module, on_device(module, batch))
    if not isinstance(found, Tensor) or found.shape != (count,):
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ConfigurationError(
            f"`{measure.name}` must be one number for each of the {count} samples of a batch, found {shape}. Sum over the "
            "other dimensions, not over the batch."
        )
    numbers = found.detach().double().cpu()
    return numbers.where(numbers.isfinite(), measure.sign * torch.inf)
