"""Misfits of a Trainer, a module and its loaders, as lists of sentences; each names the remedy."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import StochasticWeightAveraging
from lightning.pytorch.strategies import FSDPStrategy, ModelParallelStrategy
from lightning.pytorch.utilities import CombinedLoader
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from lightning_unlearn._tensors import is_sharded
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.objectives import Guidance, Objective
from lightning_unlearn.weights import reshard


def raise_together(misfits: list[str], trainer: Trainer) -> None:
    """Raise one error that lists all misfits, if there are any; if one process does, all do, or they would wait for it."""
    anywhere = trainer.strategy.reduce_boolean_decision(len(misfits) > 0, all=False)
    if misfits:
        raise ConfigurationError("\n".join(misfits))
    if anywhere:
        raise ConfigurationError(
            "Every process must be in order before the first step, found a misfit on another process. See the error of "
            "that process for what to change."
        )


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
            "shards make inner products local. Use `ModelParallelStrategy`, with `fully_shard` in `configure_model` (FSDP2)."
        )
    if trainer.strategy.handles_gradient_accumulation:
        misfits.append(
            f"The Trainer strategy must leave gradients in `p.grad`, found {type(trainer.strategy).__name__}, whose "
            'engine owns them. Use `strategy="ddp"`, or `ModelParallelStrategy` (FSDP2) for large models.'
        )
    return misfits


def of_averaging(trainer: Trainer, module: LightningModule) -> list[str]:
    """What a strategy without a retain side cannot give: batch statistics of the averaged weights."""
    averages = any(isinstance(c, StochasticWeightAveraging) for c in trainer.callbacks)  # type: ignore[attr-defined]
    if not averages or not any(isinstance(m, _BatchNorm) for m in module.modules()):
        return []
    return [
        "`StochasticWeightAveraging` must see retain batches, whose statistics it gives to batch normalisation at the "
        "end, found a strategy that runs on forget batches alone. Use `WeightAveraging`, or a strategy with both sides."
    ]


def of_tensor_granularity(trainer: Trainer, module: LightningModule) -> list[str]:
    """What keeps gradients from being complete as they arrive, parameter by parameter."""
    found = []
    if trainer.world_size > 1:
        found.append(f"{trainer.world_size} processes, whose gradients are averaged later")
    if trainer.accumulate_grad_batches > 1:
        found.append(f"`accumulate_grad_batches={trainer.accumulate_grad_batches}`")
    if not module.automatic_optimization:
        found.append("manual optimisation")
    return [
        f'`granularity="tensor"` must have gradients that are complete as they arrive, found {what}. Use the default, '
        '`granularity="model"`.'
        for what in found
    ]


def of_module(module: LightningModule) -> list[str]:
    """What a module has that a strategy cannot work with."""
    misfits = []
    name = type(module).__name__
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


def of_placement(trainer: Trainer, module: LightningModule) -> list[str]:
    """Trainable parameters that nobody keeps alike on data-parallel processes: FSDP2 averages what it shards alone."""
    strategy = trainer.strategy
    if (
        not isinstance(strategy, ModelParallelStrategy)
        or strategy.distributed_sampler_kwargs["num_replicas"] == 1
    ):
        return []
    reshard(module)
    plain = [
        n for n, p in module.named_parameters() if p.requires_grad and not (is_sharded(p) or _has_hook(p))
    ]
    if not plain:
        return []
    return [
        f"Every trainable parameter must be sharded, or average its gradient in a hook of its own, when data-parallel "
        f"processes see different batches, found `{plain[0]}` as a plain tensor. Call `fully_shard` on the whole model "
        "after its layers."
    ]


def guidance_beside(objective: Objective, guidance: Guidance | None) -> Guidance | None:
    """Return `guidance`, if it is one that the objective can carry."""
    if guidance is not None and not isinstance(guidance, Guidance):
        raise ConfigurationError(f"`guidance` must be an instance of Guidance or None, found {guidance!r}.")
    if guidance is not None and type(objective).outer is not Objective.outer:
        raise ConfigurationError(
            f"`guidance` must join a mean over samples, found `objective={objective!r}`, which minimises a function of that "
            "mean. Take an objective without `outer`, such as `Bounded()`, or leave the guidance out."
        )
    return guidance


def of_guidance(trainer: Trainer, module: LightningModule, guidance: Guidance | None) -> list[str]:
    """What sampler and classifier give that cannot be learnt from."""
    if guidance is None:
        return []
    if not module.automatic_optimization:
        return [
            "`guidance` must join the loss that `training_step` returns, found manual optimisation. Add `guidance.loss(self)` "
            "to a loss in `training_step` instead."
        ]
    with trainer.precision_plugin.forward_context():
        found = guidance.begin(module)
    reshard(module)
    return found


def _has_hook(parameter: Tensor) -> bool:
    return any((parameter._backward_hooks, getattr(parameter, "_post_accumulate_grad_hooks", None)))


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
        misfits.append(f'The sides must be "forget" and "retain" alone, found {unknown} besides. {remedy}')
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
            "`DataLoader(..., generator=torch.Generator())` (not with `ddp_spawn`, whose processes cannot be sent one), or use "
            "`UnlearningDataModule`."
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
