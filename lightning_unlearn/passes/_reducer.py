"""What DistributedDataParallel cannot average, said before the optimiser moves instead of a pass later, or never."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightning.pytorch import Trainer
from torch.nn.parallel import DistributedDataParallel

from lightning_unlearn.errors import ConfigurationError

_UNFINISHED = ("Expected to have finished reduction", "Your training graph has changed")


def of_wrapper(trainer: Trainer) -> list[str]:
    """What a DistributedDataParallel about to start has been given that it cannot do."""
    static = getattr(trainer.strategy.model, "static_graph", False)
    if not static or trainer.accumulate_grad_batches == 1:
        return []
    return [
        "`static_graph=True` must start with `accumulate_grad_batches=1`, which DistributedDataParallel needs to record "
        f"the graph, found {trainer.accumulate_grad_batches}. Leave out `static_graph`."
    ]


@contextmanager
def averaged(wrapper: Any, side: str) -> Iterator[None]:
    """Raise unless every gradient that DistributedDataParallel waits for has come in the pass that the block ends.

    It would itself notice when the next pass begins: after the optimiser has moved by gradients of one process.
    """
    try:
        yield
        if isinstance(wrapper, DistributedDataParallel):
            wrapper._check_reducer_finalized()  # type: ignore[no-untyped-call]  # private, and made for this
    except RuntimeError as error:
        if not isinstance(wrapper, DistributedDataParallel) or not str(error).startswith(_UNFINISHED):
            raise
        static = "leave out `static_graph`, and " if wrapper.static_graph else ""
        raise ConfigurationError(
            "Every pass must reach the same parameters under DistributedDataParallel, found that a pass of the "
            f"{side} side does not{_example(wrapper, error)}. To allow it, {static}use "
            '`strategy="ddp_find_unused_parameters_true"`.'
        ) from error


def _example(wrapper: DistributedDataParallel, error: RuntimeError) -> str:
    names = [n for n, p in wrapper.module.named_parameters() if p.requires_grad and p.grad is None]
    is_over = str(error).startswith(_UNFINISHED[0])  # in the midst of a pass many have no gradient yet
    return f": not `{names[0]}`" if names and is_over else ""
