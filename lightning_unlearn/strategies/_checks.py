"""Misfits of a Trainer, a module and its loaders, as lists of sentences; each names the remedy."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
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
    if not any(p.requires_grad for p in module.parameters()):
        misfits.append(
            f"`{name}` must have a trainable parameter, found none with `requires_grad`. Unfreeze what may change."
        )
    return misfits


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


def _kind(loaders: Any) -> str:
    return "none" if loaders is None else f"a {type(loaders).__name__}"


def _length(loader: Any) -> int | None:
    try:
        return len(loader)
    except (TypeError, NotImplementedError, MisconfigurationException):
        return None
