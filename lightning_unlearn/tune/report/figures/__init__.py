"""The figures of a search, one kind a file."""

from lightning_unlearn.rendering import Shown
from lightning_unlearn.tune._search import Search
from lightning_unlearn.tune.report.figures._history import history
from lightning_unlearn.tune.report.figures._parameter import by_parameter

__all__ = ["figures"]


def figures(search: Search) -> list[Shown]:
    """The course of the search, then each parameter against the distance."""
    return [history(search), *by_parameter(search)]
