"""Weights from files, and whether they are those of the module."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from lightning.pytorch import LightningModule
from torch import Tensor, nn

from lightning_unlearn._weights_file import read_weights
from lightning_unlearn.errors import ConfigurationError

Weights: TypeAlias = "str | Path | nn.Module | Mapping[str, Tensor]"


def state_of(name: str, weights: Weights) -> Mapping[str, Tensor]:
    """The state dict of a checkpoint of Lightning, of a file with a bare one, of a module, or itself.

    Args:
        name: of the argument, for messages.
        weights: where they are.

    Raises:
        ConfigurationError: the file is not there, or needs arbitrary pickle.
    """
    if isinstance(weights, nn.Module):
        state: Mapping[str, Any] = weights.state_dict()
    else:
        state = weights if isinstance(weights, Mapping) else read_weights(weights, name)
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise ConfigurationError(
            f"`{name}` must hold the weights of a model, found other things in {_named(weights)}. Save it with "
            "`trainer.save_checkpoint(path)`."
        )
    return state


def _named(weights: Weights) -> str:
    return str(weights) if isinstance(weights, (str, Path)) else type(weights).__name__


def model_of(name: str, module: LightningModule, state: Mapping[str, Tensor]) -> LightningModule:
    """A copy of `module` with the weights `state`, in eval mode.

    Raises:
        ConfigurationError: they are those of another architecture.
    """
    own = module.state_dict()
    for what, keys in (("without", own.keys() - state.keys()), ("with", state.keys() - own.keys())):
        if keys:
            raise _other(name, module, f"{len(keys)} entries {what} a place in it, such as `{min(keys)}`")
    for key, tensor in own.items():
        if tensor.shape != state[key].shape:
            raise _other(
                name, module, f"`{key}` of shape {tuple(state[key].shape)} for {tuple(tensor.shape)}"
            )
    model = copied(module)
    model.load_state_dict(state)
    return model.eval()


def copied(module: LightningModule) -> LightningModule:
    """A deep copy, without the trainer that a module may be attached to."""
    kept: dict[int, Any] = {id(module._trainer): None} if module._trainer is not None else {}
    return copy.deepcopy(module, kept)


def _other(name: str, module: LightningModule, found: str) -> ConfigurationError:
    return ConfigurationError(
        f"`{name}` must hold the weights of {type(module).__name__}, found {found}. Original, unlearned and reference "
        "models must have the architecture of `module`."
    )
