"""Images of generators: made from the same random numbers, in batches, and shown side by side."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from matplotlib.figure import Figure
from torch import Tensor, nn

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.metrics._extractor import as_it_is

Sample: TypeAlias = Callable[[nn.Module, int, torch.Generator], Tensor]


def batches_of_images(
    sample: Sample, module: nn.Module, count: int, size: int, seed: int
) -> Iterator[Tensor]:
    """`count` images in batches of `size`: the same random numbers for every module, and no trace of them outside.

    `sample` is given a generator on the CPU; the global streams are seeded alike, for one that draws from those.
    """
    for start in range(0, count, size):
        wanted = min(size, count - start)
        with isolate_rng(), as_it_is(module):
            own = seed + start
            torch.manual_seed(own)
            images: object = sample(module, wanted, torch.Generator().manual_seed(own))
        if not isinstance(images, Tensor) or len(images) != wanted:
            found = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
            raise ConfigurationError(
                f"`sample` must return a tensor of {wanted} images when it is asked for them, found {found}. Return the first n."
            )
        yield images.detach()


def shown_images(first: Mapping[str, Tensor], of_class: Mapping[str, Tensor]) -> dict[str, dict[str, str]]:
    """Both grids of the report: what models make of the same random numbers, and what they make of the class.

    Args:
        first: by model, its first images.
        of_class: by model, the first that the classifier takes for the class; none of some models.
    """
    found = {
        "Images from the same random numbers": {
            "png": image_grid(first),
            "description": f"{_columns(first)} images of each model, one row for each: {', '.join(first)}. A column has what the "
            "models make of the same random numbers.",
        }
    }
    if any(len(images) for images in of_class.values()):
        counted = ", ".join(f"{name} {len(images)}" for name, images in of_class.items())
        found["Images that the classifier takes for the class"] = {
            "png": image_grid(of_class),
            "description": f"The first images of each model that the classifier takes for the class, at most {_columns(of_class)}: "
            f"{counted}.",
        }
    return found


def image_grid(rows: Mapping[str, Tensor]) -> str:
    """PNG in base64, the same bytes for the same images: one row for each model, one column for each image.

    Args:
        rows: by the model's name, images (N, C, H, W) or (N, H, W), uint8 or between 0 and 1; what is beyond is cut off.
    """
    columns = _columns(rows)
    figure = Figure(figsize=(1.2 + 0.7 * columns, 0.8 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        for place, image in zip(line, _pixels(images) if len(images) else (), strict=False):
            place.imshow(image.squeeze(-1).numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        for place in line:
            place.set(xticks=[], yticks=[])
            place.spines[:].set_visible(False)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=100, metadata={"Software": None})
    return base64.b64encode(stream.getvalue()).decode()


def check_shape(argument: str, images: Tensor) -> None:
    """Raise if images cannot be shown, before much has been computed.

    Raises:
        ConfigurationError: they cannot.
    """
    if images.ndim != 3 and not (images.ndim == 4 and images.shape[1] in (1, 3)):
        raise ConfigurationError(
            f"`{argument}` must give images (N, C, H, W) of 1 or 3 channels, or (N, H, W), found {tuple(images.shape)}. Reshape "
            "them, and let the classifier flatten."
        )


def _columns(rows: Mapping[str, Tensor]) -> int:
    return max(len(images) for images in rows.values())


def _pixels(images: Tensor) -> Tensor:
    """(N, H, W, C) between 0 and 1."""
    pixels = images.detach().cpu()
    pixels = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels.float().clamp(0, 1)
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels
    return pixels.permute(0, 2, 3, 1)
