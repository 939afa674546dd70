"""What to forget, as the user says it, and the two datasets that follow."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Subset

from lightning_unlearn.data._checks import check_sized
from lightning_unlearn.data._labels import labels_of
from lightning_unlearn.data._sampler import keyed_generator
from lightning_unlearn.errors import ConfigurationError

_SHOWN = 10


@dataclass(frozen=True)
class Split:
    """The forget set, the retain set, and the sorted indices of the forget set (`None` if two datasets came)."""

    forget: Dataset[Any]
    retain: Dataset[Any]
    indices: Tensor | None


@dataclass(frozen=True)
class ForgetChoice:
    """Says which samples are forgotten; what needs no data is checked at once.

    Args:
        forget: Boolean mask of length n, or distinct integer indices in 0 … n-1, or the forget set itself.
        forget_class: Label, or list of labels, all of whose samples are forgotten.
        forget_fraction: Share of the samples, in (0, 1), drawn at random.
        seed: Key of that draw.

    Raises:
        ConfigurationError: Unless exactly one of the three is given, with a legal value.

    Example:
        >>> from torch.utils.data import TensorDataset
        >>> data = TensorDataset(torch.arange(4.0), torch.tensor([0, 1, 0, 1]))
        >>> ForgetChoice(forget_class=1).split(data).indices
        tensor([1, 3])
    """

    forget: Any = None
    forget_class: int | list[int] | None = None
    forget_fraction: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        choices = {name: getattr(self, name) for name in ("forget", "forget_class", "forget_fraction")}
        given = [f"`{name}`" for name, value in choices.items() if value is not None]
        if len(given) != 1:
            raise ConfigurationError(
                "`forget`, `forget_class` or `forget_fraction` must be given, exactly one of them,"
                f" found {' and '.join(given) or 'none'}. Pass the one that names the forget set."
            )
        if self.forget_class is not None:
            _check_class(self.forget_class)
        if self.forget_fraction is not None:
            _check_fraction(self.forget_fraction)

    def split(self, train: Any) -> Split:
        """Split `train`; with a dataset as `forget`, `train` is the retain set already."""
        check_sized("train", train)
        if self.forget is not None and not _is_selection(self.forget):
            check_sized("forget", self.forget)
            return Split(self.forget, train, None)
        chosen = self._mask(train)
        if not chosen.any():
            raise ConfigurationError(
                "The forget set must hold at least one sample, found 0. Choose what is to be forgotten."
            )
        if chosen.all():
            raise ConfigurationError(
                f"The retain set must hold at least one sample, found 0: all {len(train)} are to be forgotten."
                " Leave some out of the forget set."
            )
        forget, retain = chosen.nonzero().flatten(), (~chosen).nonzero().flatten()
        return Split(Subset(train, forget.tolist()), Subset(train, retain.tolist()), forget)

    def _mask(self, train: Any) -> Tensor:
        if self.forget_class is not None:
            return _mask_of_classes(self.forget_class, train)
        if self.forget_fraction is not None:
            return _mask_of_fraction(self.forget_fraction, len(train), self.seed)
        return _mask_of_selection(self.forget, len(train))


def _is_selection(forget: object) -> bool:
    return isinstance(forget, list | tuple | range | Tensor | int) or hasattr(forget, "__array__")


def _check_class(forget_class: object) -> None:
    labels = forget_class if isinstance(forget_class, list | tuple) else [forget_class]
    if not labels or any(isinstance(label, bool) or not isinstance(label, int) for label in labels):
        raise ConfigurationError(
            f"`forget_class` must be an integer or a list of integers, found {forget_class!r}."
            " Pass the label, or the labels, of the classes to forget."
        )


def _check_fraction(fraction: object) -> None:
    if not isinstance(fraction, float) or not 0.0 < fraction < 1.0:
        raise ConfigurationError(
            f"`forget_fraction` must be a number between 0 and 1, both excluded, found {fraction!r}."
            " Pass for instance 0.1 for a tenth of the samples."
        )


def _mask_of_classes(forget_class: int | list[int], train: Any) -> Tensor:
    labels = labels_of(train)
    if labels is None:
        raise ConfigurationError(
            "`forget_class` must be used with a dataset that has integer labels in `targets`, `labels` or `y`,"
            f" found {type(train).__name__} without. Pass `forget=` with a boolean mask or indices instead."
        )
    wanted = forget_class if isinstance(forget_class, list | tuple) else [forget_class]
    classes = np.unique(labels.numpy()).tolist()
    missing = sorted(set(wanted) - set(classes))
    if missing:
        raise ConfigurationError(
            f"`forget_class` must be among the labels of the training data ({_shorten(classes)}),"
            f" found {_shorten(missing)}. Choose one that occurs."
        )
    return torch.isin(labels, torch.tensor(wanted))


def _mask_of_fraction(fraction: float, length: int, seed: int) -> Tensor:
    count = round(fraction * length)
    if not 0 < count < length:
        raise ConfigurationError(
            f"`forget_fraction` must pick at least 1 and at most {length - 1} of {length} samples,"
            f" found {fraction!r}, which picks {count}. Choose another fraction."
        )
    mask = torch.zeros(length, dtype=torch.bool)
    mask[torch.randperm(length, generator=keyed_generator("fraction", seed))[:count]] = True
    return mask


def _mask_of_selection(forget: Any, length: int) -> Tensor:
    array = _as_array(forget)
    if array.dtype == np.bool_:
        if len(array) != length:
            raise ConfigurationError(
                f"`forget` must be a mask as long as the training data ({length}), found length {len(array)}."
                " Build the mask from the same dataset."
            )
        return torch.from_numpy(array.copy())
    _check_indices(array, length)
    mask = torch.zeros(length, dtype=torch.bool)
    mask[torch.from_numpy(array.astype(np.int64))] = True
    return mask


def _as_array(forget: Any) -> NDArray[Any]:
    try:
        array = forget.detach().cpu().numpy() if isinstance(forget, Tensor) else np.asarray(forget)
    except (TypeError, ValueError):  # ragged lists; dtypes that NumPy does not have
        array = np.asarray(None)
    if array.ndim == 1 and array.size == 0:
        return array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "biu":
        found = (
            f"{getattr(forget, 'dtype', array.dtype)} of shape {tuple(getattr(forget, 'shape', array.shape))}"
        )
        raise ConfigurationError(
            "`forget` must be a boolean mask or integer indices, in one dimension, or a dataset,"
            f" found {type(forget).__name__}, {found}. Convert it, for instance with `mask.bool()`."
        )
    return array


def _check_indices(array: NDArray[Any], length: int) -> None:
    outside = array[(array < 0) | (array >= length)]
    if outside.size:
        raise ConfigurationError(
            f"`forget` must hold indices from 0 to {length - 1}, found {_shorten(np.unique(outside).tolist())}."
            " Count from the start of the training data."
        )
    values, counts = np.unique(array, return_counts=True)
    repeated = values[counts > 1]
    if repeated.size:
        raise ConfigurationError(
            f"`forget` must hold distinct indices, found {_shorten(repeated.tolist())} repeated."
            " Remove duplicates; a mask must be boolean, so convert zeros and ones with `mask.bool()`."
        )


def _shorten(values: list[Any]) -> str:
    text = ", ".join(str(value) for value in values[:_SHOWN])
    return text if len(values) <= _SHOWN else f"{text}, … {len(values)} in all"
