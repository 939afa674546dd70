"""Everything that needs generators and data: passes over the sides, and images."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_unlearn.audit._digests import identifiers_digest
from lightning_unlearn.audit._generator_evidence import GeneratorEvidence, RealImages
from lightning_unlearn.audit._generator_images import batches_of_images, shown_images
from lightning_unlearn.audit._generator_options import BLOCKS, GeneratorOptions
from lightning_unlearn.audit._generator_seen import Seen, share
from lightning_unlearn.audit._generator_sides import Side, visit
from lightning_unlearn.audit._progress import AuditProgress
from lightning_unlearn.audit._quantise import quantised
from lightning_unlearn.audit._report import Estimate, SideRecord
from lightning_unlearn.audit._statistics import Array
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.metrics.functional import (
    frechet_distance,
    generator_precision,
    generator_recall,
    jackknife_interval,
)
from lightning_unlearn.metrics.functional._kernel_jackknife import kernel_distance_and_interval

_APART = {"retain": ("forget",), "test": ("forget", "retain"), "unseen": ("forget", "retain")}


class GeneratorMeasurement:
    """Measures the generators of an audit.

    Args:
        models: by name, in eval mode, on their device.
        loaders: by side.
        options: of the audit.
    """

    def __init__(
        self,
        models: Mapping[str, LightningModule],
        loaders: Mapping[str, DataLoader[Any]],
        options: GeneratorOptions,
    ) -> None:
        self._models, self._loaders, self._options = models, loaders, options

    def batches(self) -> int:
        """How many batches there are, of data or of images of one model."""
        of_images = math.ceil(self._options.samples / self._options.batch_size)
        total = sum(len(loader) for loader in self._loaders.values())
        return total + len(self._models) * of_images * (1 + len(self._options.bits))

    def __call__(self, progress: AuditProgress) -> GeneratorEvidence:
        """All of it."""
        options = self._options
        sides: dict[str, Side] = {}
        real = {name: Seen(options, features=name == "retain") for name in self._loaders}
        for name, loader in self._loaders.items():  # the forget set comes first
            progress.say(name)
            apart = {other: sides[other].names for other in _APART.get(name, ()) if other in sides}
            sides[name] = visit(
                name, loader, self._models, options, apart, real[name].add, lambda: progress.step()
            )
        prior = _prior(sides, options)
        retained = real["retain"].features()
        if len(retained) < 2 * BLOCKS:
            raise ConfigurationError(
                f"`retain` must have at least {2 * BLOCKS} images, found {len(retained)}. Pass more, best as many as `samples`."
            )
        hits, seen = {}, {}
        fidelity: dict[str, dict[str, Estimate]] = {}
        for name, module in self._models.items():
            seen[name] = self._images(name, module, progress, real["retain"].shape, features=True)
            hits[name] = seen[name].hits
            for metric, value in _fidelity(seen[name].features(), retained, 1 - options.level).items():
                fidelity.setdefault(metric, {})[name] = value
            seen[name].forget_features()
        treated = {
            f"with {bits} bits": {
                name: self._images(
                    f"{name}, with {bits} bits",
                    quantised(module, bits),
                    progress,
                    real["retain"].shape,
                    features=False,
                ).hits
                for name, module in self._models.items()
            }
            for bits in options.bits
        }
        return GeneratorEvidence(
            prior,
            options.samples,
            hits,
            treated,
            fidelity,
            RealImages(
                real["retain"].share(1 - options.level),
                real["forget"].share(1 - options.level),
                float(retained.double().var(0).sum()),
            ),
            options.measures(),
            _values(sides, options),
            {name: seen[name].finite and _finite(sides, name) for name in self._models},
            [
                SideRecord(name, len(side.names), identifiers_digest(side.names))
                for name, side in sides.items()
            ],
            shown_images(
                {name: one.first for name, one in seen.items()},
                {name: one.of_class for name, one in seen.items()},
            ),
            1 - options.level,
        )

    def _images(
        self,
        name: str,
        module: LightningModule,
        progress: AuditProgress,
        shape: torch.Size,
        *,
        features: bool,
    ) -> Seen:
        progress.say(f"images of the {name}")
        options = self._options
        seen = Seen(options, features=features)
        for images in batches_of_images(
            options.sample, module, options.samples, options.batch_size, options.seed
        ):
            if images.shape[1:] != shape:
                raise ConfigurationError(
                    f"`sample` must return images of the shape of the real ones, {tuple(shape)}, found {tuple(images.shape[1:])}. "
                    "Reshape them, and scale them as the data are."
                )
            seen.add(images)
            progress.step()
        return seen


def _prior(sides: Mapping[str, Side], options: GeneratorOptions) -> float:
    """Share of the class in what the original was trained on."""
    forget, retain = sides["forget"].labels, sides["retain"].labels
    if retain is not None and (kept := int((retain == options.forget_class).sum())):
        raise ConfigurationError(
            f"`retain` must hold no image of the class {options.forget_class}, found {kept}. A class that is retained in part is "
            "not forgotten: move them to `forget`."
        )
    if options.prior is not None:
        return options.prior
    if forget is None or retain is None:
        raise ConfigurationError(
            "`data` must give batches of images and integer labels, found some without labels. Pass `prior=`, the share of the class "
            "in the training data."
        )
    labels = np.concatenate([forget, retain])
    prior = float((labels == options.forget_class).mean())
    if not 0 < prior < 1:
        raise ConfigurationError(
            f"`forget` must hold images of the class {options.forget_class}, found the labels {sorted(set(forget.tolist()))}. "
            "Number the classes as the classifier does, or pass `prior=`."
        )
    return prior


def _values(sides: Mapping[str, Side], options: GeneratorOptions) -> dict[str, dict[str, dict[str, Array]]]:
    """Test data in two: those of the class are unseen samples of the kind that is forgotten."""
    found: dict[str, dict[str, dict[str, Array]]] = {measure.name: {} for measure in options.measures()}
    for name, side in sides.items():
        parts = {name: np.ones(len(side.names), dtype=bool)}
        if name == "test" and side.labels is not None:
            of_class = side.labels == options.forget_class
            parts = {"test": ~of_class} | ({} if "unseen" in sides else {"unseen": of_class})
        for part, chosen in parts.items():
            for measure, values in side.where(chosen).items():
                if chosen.any():
                    found[measure][part] = values
    return found


def _finite(sides: Mapping[str, Side], model: str) -> bool:
    values: Iterable[Array] = (of[model] for side in sides.values() for of in side.values.values())
    return all(bool(np.isfinite(one).all()) for one in values)


def _fidelity(features: Tensor, real: Tensor, confidence: float) -> dict[str, Estimate]:
    distance = partial(frechet_distance, reference_features=real)
    bounds = jackknife_interval(distance, features, level=confidence, blocks=BLOCKS)
    kernel = kernel_distance_and_interval(features, real, level=confidence, blocks=BLOCKS)
    precision, recall = float(generator_precision(features, real)), float(generator_recall(features, real))
    return {
        "FrechetDistance": Estimate(float(distance(features)), *map(float, bounds)),
        "KernelDistance": Estimate(*map(float, kernel)),
        "GeneratorPrecision": share(round(precision * len(features)), len(features), confidence),
        "GeneratorRecall": share(round(recall * len(real)), len(real), confidence),
    }
