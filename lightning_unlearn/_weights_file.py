"""Weights as they lie in a file."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from lightning_unlearn.errors import ConfigurationError


def read_weights(path: Path | str, name: str = "path") -> dict[str, Any]:
    """The state dict in a file that `torch.save` or a Trainer wrote, on the CPU; nothing else in it is run.

    Args:
        path: A checkpoint, whose `state_dict` is taken, or a file that holds just a state dict.
        name: Of the argument that names the file, for messages.

    Returns:
        Tensors by name.

    Raises:
        ConfigurationError: The file is not there, is no such file, or would have to run code to be read.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ConfigurationError(
            f"`{name}` must be a file with weights, found {path} ({error.strerror or error}). Name a file that is there."
        ) from error
    except pickle.UnpicklingError as error:
        raise ConfigurationError(
            f"`{name}` must be a checkpoint that loads with `weights_only=True`, found {path}, which is damaged or would "
            "run code when it is read. Save the model with `trainer.save_checkpoint(path, weights_only=True)` or "
            "`torch.save(module.state_dict(), path)`."
        ) from error
    except (RuntimeError, EOFError, ValueError, LookupError) as error:
        said = str(error).partition("\n")[0] or type(error).__name__
        raise ConfigurationError(
            f"`{name}` must be a file that `torch.save` wrote, found {path} ({said}). "
            "Name a checkpoint, or copy it again: it may be cut off."
        ) from error
    state = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        raise ConfigurationError(
            f"`{name}` must hold a state dict, found {type(content).__name__} in {path}. "
            "Save the weights by `torch.save(module.state_dict(), path)`."
        )
    return dict(state)
