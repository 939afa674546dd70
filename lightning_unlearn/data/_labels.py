"""Finding the labels of a dataset without loading its samples."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Subset, TensorDataset

_NAMES = ("targets", "labels", "y")


def labels_of(dataset: Any) -> Tensor | None:
    """Return the class of every sample, or `None` where the dataset does not tell.

    Looks for an attribute `targets`, `labels` or `y`, then through a `Subset`, then for the last integer tensor
    of a `TensorDataset`.

    Returns:
        Integers, shape `(len(dataset),)`, int64, on the CPU.

    Example:
        >>> from torch.utils.data import Subset, TensorDataset
        >>> labels_of(Subset(TensorDataset(torch.zeros(4, 2), torch.tensor([0, 1, 2, 3])), [3, 1]))
        tensor([3, 1])
    """
    for name in _NAMES:
        labels = _as_labels(getattr(dataset, name, None), len(dataset))
        if labels is not None:
            return labels
    if isinstance(dataset, Subset):
        inner = labels_of(dataset.dataset)
        return None if inner is None else inner[torch.as_tensor(dataset.indices, dtype=torch.int64)]
    if isinstance(dataset, TensorDataset):
        candidates = (_as_labels(tensor, len(dataset)) for tensor in reversed(dataset.tensors))
        return next((labels for labels in candidates if labels is not None), None)
    return None


def _as_labels(values: object, length: int) -> Tensor | None:
    if values is None or callable(values):
        return None
    array = values.detach().cpu() if isinstance(values, Tensor) else _as_tensor(values)
    if array is None or array.dtype is torch.bool or array.is_floating_point() or array.is_complex():
        return None
    return array.to(torch.int64) if array.shape == (length,) else None


def _as_tensor(values: object) -> Tensor | None:
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):
        return None
    return torch.from_numpy(array.astype(np.int64)) if array.dtype.kind in "iu" else None
