"""Reading how an existing train loader makes its batches."""

from typing import Any

from torch.utils.data import BatchSampler, DataLoader, IterableDataset, RandomSampler, SequentialSampler

from lightning_unlearn.errors import ConfigurationError

DELEGATED = (  # hooks of a data module that one around it hands on
    *("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer"),
    *("val_dataloader", "test_dataloader", "predict_dataloader"),
    *("state_dict", "load_state_dict", "on_exception"),
)
_REMEDY = "Pass two datasets instead: `UnlearningDataModule(retain_set, forget=forget_set)`."


def check_splittable(loader: Any) -> None:
    """Raise unless `loader` is one DataLoader of a map-style dataset in plain random or sequential order."""
    problem = problem_of(loader)
    if problem is not None:
        raise ConfigurationError(
            "`train_dataloader()` of the wrapped data module must return one `DataLoader` over a map-style dataset,"
            f" with a plain random or sequential sampler, found {problem}. {_REMEDY}"
        )


def problem_of(loader: Any) -> str | None:
    if not isinstance(loader, DataLoader):
        return type(loader).__name__
    if isinstance(loader.dataset, IterableDataset):
        return f"the iterable dataset {type(loader.dataset).__name__}"
    if type(loader.batch_sampler) is not BatchSampler:
        return f"the batch sampler {type(loader.batch_sampler).__name__}"
    if type(loader.sampler) not in (RandomSampler, SequentialSampler):
        return f"the sampler {type(loader.sampler).__name__}"
    if isinstance(loader.sampler, RandomSampler) and not _visits_all(loader.sampler):
        return "a random sampler with replacement or a number of samples of its own"
    return None


def _visits_all(sampler: RandomSampler) -> bool:
    return not sampler.replacement and sampler.num_samples == len(sampler.data_source)


def loading_of(loader: DataLoader[Any], num_workers: int | None) -> dict[str, Any]:
    """Return the arguments of `Streams` that make batches as `loader` does.

    Options that only apply to worker processes are copied if there are any.

    Example:
        >>> from torch.utils.data import TensorDataset
        >>> import torch
        >>> loading_of(DataLoader(TensorDataset(torch.zeros(3)), batch_size=2), None)["batch_size"]
        2
    """
    workers = loader.num_workers if num_workers is None else num_workers
    extra: dict[str, Any] = {"worker_init_fn": loader.worker_init_fn}
    if workers > 0:
        names = ("timeout", "prefetch_factor", "persistent_workers", "multiprocessing_context")
        extra.update({name: getattr(loader, name) for name in names})
    return {
        "batch_size": loader.batch_size,
        "num_workers": workers,
        "collate_fn": loader.collate_fn,
        "pin_memory": loader.pin_memory,
        "extra": extra,
    }
