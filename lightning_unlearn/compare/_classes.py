"""Classes by their names, and their arguments; by jsonargparse, which LightningCLI parses with."""

from __future__ import annotations

import inspect
import json
from argparse import ArgumentError
from collections.abc import Iterator, Mapping
from pydoc import ErrorDuringImport, locate
from typing import Any

from jsonargparse import ArgumentParser

import lightning_unlearn
from lightning_unlearn.compare._names import check_names, did_you_mean
from lightning_unlearn.errors import ConfigurationError

_GROUP = "it"  # what the arguments are called below a parser


def class_of(name: Any, base: type, what: str) -> type:
    """The class of a name: of one that is imported, or of an import path.

    Args:
        name: such as `SFRon` or `my_module.MyStrategy`.
        base: that it must be derived from.
        what: of the configuration, for messages.

    Raises:
        ConfigurationError: there is no such class; the message has the closest one.

    Example:
        >>> from lightning_unlearn import UnlearningStrategy
        >>> class_of("SFRon", UnlearningStrategy, "`strategy`").__name__
        'SFRon'
    """
    known = {cls.__name__: cls for cls in _concrete(base)}
    found = known.get(name) or (_located(name, what) if isinstance(name, str) else None)
    if not (isinstance(found, type) and issubclass(found, base)) or inspect.isabstract(found):
        ours = [own for own in known if hasattr(lightning_unlearn, own)]
        last = str(name).rpartition(".")[2]
        raise ConfigurationError(
            f"{what} must be the name or the import path of a class of {base.__name__}, found {name!r}. "
            f"{did_you_mean(last, ours or known)}"
        )
    return found


def completed(cls: type, given: Mapping[str, Any], what: str) -> dict[str, Any]:
    """All arguments of a class as plain values, defaults included.

    Args:
        cls: the class.
        given: those that were given, by name.
        what: of the configuration, for messages.

    Raises:
        ConfigurationError: an argument is unknown, missing or of another type.

    Example:
        >>> from lightning_unlearn import GradientDifference
        >>> completed(GradientDifference, {"alpha": 2}, "`strategy`")["alpha"]
        2.0
    """
    what = f"{what} {cls.__name__}"
    parser = _parser(cls)
    known = parser.get_defaults().get(_GROUP)
    check_names(f"The arguments of {what}", given, () if known is None else known.as_dict())
    _check_inner(given, what)
    try:
        parsed = parser.parse_object({_GROUP: dict(given)})
    except ArgumentError as error:
        said = " ".join(str(error).replace(f'"{_GROUP}.', '"').split())
        raise ConfigurationError(
            f"The arguments of {what} must be such as the class takes, found that they are not: {said}"
        ) from error
    # nothing is left out; by position, since the name of that argument has changed
    complete: dict[str, Any] = json.loads(parser.dump(parsed, "json", False)).get(_GROUP)
    return complete or {}


def constructed(cls: type, arguments: Mapping[str, Any]) -> Any:
    """An object of a class, of plain arguments."""
    parser = _parser(cls)
    instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes  # the older name
    return instantiate(parser.parse_object({_GROUP: dict(arguments)}))[_GROUP]


def path_of(cls: type) -> str:
    """The shortest import path.

    Example:
        >>> from lightning_unlearn import SFRon
        >>> path_of(SFRon)
        'lightning_unlearn.SFRon'
    """
    is_ours = getattr(lightning_unlearn, cls.__name__, None) is cls
    return f"{'lightning_unlearn' if is_ours else cls.__module__}.{cls.__qualname__}"


def _parser(cls: type) -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(cls, _GROUP)
    return parser


def _concrete(base: type) -> Iterator[type]:
    for cls in (base, *base.__subclasses__()):
        if cls is not base:
            yield from _concrete(cls)
        elif not inspect.isabstract(cls) and not cls.__name__.startswith("_"):
            yield cls


def _located(name: str, what: str) -> Any:
    try:
        return locate(name)
    except ErrorDuringImport as error:
        raise ConfigurationError(f"{what} must be a class that can be imported, found {error}.") from error


def _check_inner(given: Mapping[str, Any], what: str) -> None:
    """The same for arguments that are classes themselves, where they can be found."""
    for name, value in given.items():
        if isinstance(value, Mapping) and isinstance(value.get("class_path"), str):
            path = value["class_path"]
            cls = getattr(lightning_unlearn, path, None) or _located(path, f"`{name}` of {what}")
            if isinstance(cls, type):
                completed(cls, value.get("init_args") or {}, f"`{name}` of {what},")
            elif "." not in path:
                ours = [
                    own
                    for own in lightning_unlearn.__all__
                    if inspect.isclass(getattr(lightning_unlearn, own))
                ]
                raise ConfigurationError(
                    f"`{name}` of {what} must be a class, found {path!r}. {did_you_mean(path, ours)}"
                )
