"""Checks of plain values and datasets; each raises `ConfigurationError` with the remedy."""

from typing import Any

from torch.utils.data import IterableDataset

from lightning_unlearn.errors import ConfigurationError


def check_integer(name: str, value: object, minimum: int) -> None:
    """Raise unless `value` is an integer (not a bool) of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ConfigurationError(
            f"`{name}` must be an integer of at least {minimum}, found {value!r}. Pass a whole number."
        )


def check_sized(name: str, dataset: Any) -> None:
    """Raise unless `dataset` is map-style, has a length, and holds a sample."""
    if isinstance(dataset, IterableDataset) or not (
        hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
    ):
        raise ConfigurationError(
            f"`{name}` must be a map-style dataset with `__len__` and `__getitem__`,"
            f" found {type(dataset).__name__}. Wrap the data in a `torch.utils.data.Dataset` with a length."
        )
    if len(dataset) == 0:
        raise ConfigurationError(
            f"`{name}` must hold at least one sample, found 0. Pass a dataset that is not empty."
        )
