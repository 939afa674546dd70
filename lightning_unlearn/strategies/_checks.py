"""Misfits of a Trainer, a module and its loaders, as lists of sentences; each names the remedy."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import FSDPStrategy
from lightning.pytorch.utilities import CombinedLoader
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch.utils.data import DataLoader

from lightning_unlearn.errors import ConfigurationError


def raise_together(misfits: list[str]) -> None:
    """Raise one error that lists all misfits, if there are any."""
    if misfits:
        raise ConfigurationError("\n".join(misfits))


def of_trainer(trainer: Trainer, others: Sequence[Callback]) -> list[str]:
    """What a Trainer has that a strategy cannot work with; `others` are the strategies beside it."""
    misfits = []
    if others:
        names = ", ".join(type(other).__name__ for other in others)
        misfits.append(
            f"`callbacks` must hold one unlearning strategy, found another: {names}. Keep one, or run them one after "
            "the other."
        )
    if isinstance(trainer.strategy, FSDPStrategy):
        misfits.append(
            "The Trainer strategy must keep gradients as tensors or DTensors, found FSDPStrategy (FSDP1), whose flat "
            "shards make inner products local. Use `ModelParallelStrategy` (FSDP2)."
        )
    if trainer.strategy.handles_gradient_accumulation:
        misfits.append(
            f"The Trainer strategy must leave gradients in `p.grad`, found {type(trainer.strategy).__name__}, whose "
            'engine owns them. Use `strategy="ddp"`, or `ModelParallelStrategy` (FSDP2) for large models.'
        )
    return misfits


def of_module(module: LightningModule) -> list[str]:
    """What a module has that a strategy cannot work with."""
    misfits = []
    name = type(module).__name__
    if not module.automatic_optimization:
        misfits.append(
            f"`{name}.automatic_optimization` must be True, found False: an unlearning step is one step of the "
            "Trainer's optimiser. Let `training_step` return the loss instead of stepping by hand."
        )
    if "dataloader_iter" in inspect.signature(module.training_step).parameters:
        misfits.append(
            f"`{name}.training_step` must take a batch, found the argument `dataloader_iter`. Take `batch` and "
            "`batch_idx` instead."
        )
    if any(True for _ in module.parameters()):  # else it may be built in `configure_model`, which comes later
        misfits += of_parameters(module)
    return misfits


def of_parameters(module: LightningModule) -> list[str]:
    """Whether there is anything to train, once the module is complete."""
    if any(p.requires_grad for p in module.parameters()):
        return []
    return [
        f"`{type(module).__name__}` must have a trainable parameter, found none with `requires_grad`. Unfreeze what may "
        "change."
    ]


def of_loaders(trainer: Trainer, needed: tuple[str, ...]) -> list[str]:
    """What is wrong with the train loader of a Trainer that is about to start, or found nothing to start with."""
    loaders = trainer.train_dataloader
    if isinstance(loaders, CombinedLoader):
        loaders = loaders.iterables
    listed = ", ".join(f'"{side}"' for side in needed)
    mapping = ", ".join(f'"{side}": loader' for side in needed)
    remedy = f"Use `UnlearningDataModule`, or `trainer.fit(module, {{{mapping}}})`."
    if not isinstance(loaders, Mapping):
        return [
            f"The train loader must be a mapping with the sides {listed}, found {_kind(loaders)}. {remedy}"
        ]
    misfits = []
    if unknown := sorted(str(key) for key in loaders if key not in ("forget", "retain")):
        misfits.append(f'The sides must be "forget" and "retain", found {unknown}. {remedy}')
    for side in needed:
        if side not in loaders:
            misfits.append(
                f'The train loader must have the side "{side}", found {sorted(map(str, loaders))}. {remedy}'
            )
        elif _length(loaders[side]) == 0:
            misfits.append(
                f'The "{side}" loader must give at least one batch, found none. Check its data set, and `drop_last` '
                "with a batch larger than the set."
            )
    mode = getattr(trainer.fit_loop._combined_loader, "_mode", None)  # public only as a constructor argument
    lengths = {_length(loader) for loader in loaders.values()}
    if mode == "max_size" and len(lengths) > 1:
        misfits.append(
            'The mode of `CombinedLoader` must be "max_size_cycle" or "min_size", found "max_size", which gives None '
            "once the shorter side is exhausted."
        )
    return misfits


def warn_of_shared_stream(trainer: Trainer) -> None:
    """Warn of a forget loader that draws from the global random stream, and so changes the retain side's numbers."""
    loaders: Any = trainer.train_dataloader
    loader = getattr(loaders, "iterables", loaders)["forget"]
    if isinstance(loader, DataLoader) and loader.generator is None:
        rank_zero_warn(
            'The "forget" loader has no `generator` of its own: it draws from the global random stream, so that dropout '
            "and order of the retain side differ from a run without it. Pass "
            "`DataLoader(..., generator=torch.Generator())`, or use `UnlearningDataModule`."
        )


def warn_of_last_batch_without_loss() -> None:
    """Warn of a window whose last batch gave no loss."""
    rank_zero_warn(
        "`training_step` returned None for the last batch of an accumulation window: the step uses the others, or with "
        "a gradient scaler is skipped by Lightning."
    )


def warn_of_epoch(*, skipped: int, has_fallback: bool, no_forget_loss: bool) -> None:
    """Warn, once an epoch, of what went wrong in its steps."""
    if no_forget_loss:
        rank_zero_warn(
            "No forget batch so far gave a loss: nothing is being forgotten. Check that `training_step` does not return "
            "None for the forget batches."
        )
    if skipped:
        what = "used the retain gradient alone, or none" if has_fallback else "were left out"
        rank_zero_warn(
            f"{skipped} steps of this epoch had a loss or gradient that was not finite; they {what}. Lower the learning "
            "rate, or take a bounded objective."
        )


def _kind(loaders: Any) -> str:
    return "none" if loaders is None else f"a {type(loaders).__name__}"


def _length(loader: Any) -> int | None:
    try:
        return len(loader)
    except (TypeError, NotImplementedError, MisconfigurationException):
        return None
