"""The classifier that scores a generator must be none that the generator was trained with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import partial
from types import ModuleType, NoneType
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from lightning_unlearn.errors import ConfigurationError

# what holds no module of its own, or everything
PLAIN = (str, bytes, int, float, Tensor, Trainer, type, ModuleType, NoneType)


def check_independent(classifier: nn.Module, *used_in_training: Any) -> None:
    """Refuse a classifier that was a training signal: a generator learns to please the one that it is shown.

    Modules are looked for in each object: itself and its layers, attributes of strategies and objectives, elements of
    containers, what functions have closed over or been given by `functools.partial`. A classifier is found if it is there
    itself, or if all its weights are, bit for bit in float32, under whatever names and in whatever module. A copy that was
    trained on, quantised or stored in half precision is another classifier to this check, and so is one that is only named
    in a configuration: it knows what it is given, and no more.

    Args:
        classifier: the one that scores.
        *used_in_training: what the unlearning was done with: modules, the strategy, its objective, a mapping of them, functions.

    Raises:
        ConfigurationError: the classifier is among them.

    Example:
        >>> import torch
        >>> from lightning_unlearn import ConfigurationError
        >>> from lightning_unlearn.audit._independence import check_independent
        >>> scoring, guiding = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
        >>> check_independent(scoring, {"objective": guiding})
        >>> guiding.load_state_dict(scoring.state_dict())
        <All keys matched successfully>
        >>> try:
        ...     check_independent(scoring, {"objective": guiding})
        ... except ConfigurationError as error:
        ...     print(str(error).partition(".")[0])
        `classifier` must not be what the generator was trained with, found its weights in Linear
    """
    digests: dict[Tensor, str] = {}  # tensors are keys by identity

    def weights(module: nn.Module) -> set[str]:
        for parameter in module.parameters():
            if parameter not in digests:
                digests[parameter] = _digest(parameter)
        return {digests[parameter] for parameter in module.parameters()}

    own = weights(classifier)
    remedy = "A generator learns to please the classifier that it is shown. Score it with another one, trained apart."
    for module in _modules(used_in_training):
        found = None
        if any(layer is classifier for layer in module.modules()):
            found = "it"
        elif own and own <= weights(module):
            found = "its weights"
        if found is not None:
            raise ConfigurationError(
                f"`classifier` must not be what the generator was trained with, found {found} in {type(module).__name__}. {remedy}"
            )


def _digest(tensor: Tensor) -> str:
    """Of shape and values in float32."""
    values = tensor.detach().to("cpu", torch.float32).contiguous()
    return hashlib.sha256(repr(tuple(values.shape)).encode() + values.numpy().tobytes()).hexdigest()


def _modules(thing: Any) -> Iterator[nn.Module]:
    """Modules that an object holds, however deep."""
    waiting, seen = [thing], set()
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, PLAIN):
            continue
        seen.add(id(thing))
        if isinstance(thing, nn.Module):
            yield thing
        waiting.extend(_parts(thing))


def _parts(thing: Any) -> list[Any]:
    if isinstance(thing, Mapping):
        return list(thing.values())
    if isinstance(thing, (list, tuple, set, frozenset)):
        return list(thing)
    if isinstance(thing, partial):
        return [thing.func, *thing.args, *thing.keywords.values()]
    closed_over = [
        cell.cell_contents for cell in getattr(thing, "__closure__", None) or () if _is_filled(cell)
    ]
    own = getattr(thing, "__self__", None)
    return [own, *closed_over, *getattr(thing, "__dict__", {}).values()]


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # a name that was never assigned
        return False
