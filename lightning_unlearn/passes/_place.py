"""Where in an epoch a checkpoint was made, and the counters of Lightning's loops put straight accordingly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Timer


class Place(NamedTuple):
    """A place between two batches.

    Attributes:
        batches: of the epoch that have been processed; 0 between two epochs.
        inside_batch_end: whether the hooks of the end of a batch were running.
        inside_epoch_end: whether the hooks of the end of an epoch were running.
        cut_short: whether a limit had ended the epoch after that many batches.
    """

    batches: int
    inside_batch_end: bool = False
    inside_epoch_end: bool = False
    cut_short: bool = False


def is_between_steps(trainer: Trainer) -> bool:
    """Whether no accumulation window is open: the optimiser has stepped for every batch that was begun."""
    progress: Any = trainer.fit_loop.epoch_loop.batch_progress
    begun, done = progress.current.ready, progress.current.processed
    if begun != done:
        return False
    if progress.is_last_batch or done == trainer.num_training_batches:
        return True
    return bool(done % trainer.accumulate_grad_batches == 0)


def is_inside_batch_end(trainer: Trainer) -> bool:
    """Whether the hooks of the end of a batch are running."""
    current: Any = trainer.fit_loop.epoch_loop.batch_progress.current
    return bool(current.ready == current.processed == current.completed + 1)


def is_cut_short(trainer: Trainer) -> bool:
    """Whether a limit on steps or on time has ended the epoch: Lightning counts it as a whole one."""
    timers = [c for c in trainer.callbacks if isinstance(c, Timer)]  # type: ignore[attr-defined]
    remaining = [timer.time_remaining() for timer in timers]
    return (
        any(left is not None and left <= 0 for left in remaining)
        or 0 <= trainer.max_steps <= trainer.global_step
    )


def straighten(fit_loop: Mapping[str, Any], *, cut_short: bool, has_means: bool) -> Place | None:
    """Where the stored counters of `fit_loop` were saved; they are changed so that Lightning goes on from there.

    Lightning 2.6.6 by itself leaves out the hooks and logs of an epoch whose last batch has just ended, and those
    of the start of the next one; takes an epoch that `max_steps` or `max_time` has ended for a whole one; and, with
    `max_steps` set, trains one batch too many when it resumes between two epochs.

    Args:
        fit_loop: the counters.
        cut_short: whether a limit had ended the run.
        has_means: whether the epoch's running means come back: without them its end is left out.

    Returns:
        The place; `None` if the counters are not those that are known here, which are then left alone.
    """
    epochs, batches = fit_loop.get("epoch_progress"), fit_loop.get("epoch_loop.batch_progress")
    try:
        now, current = epochs["current"], batches["current"]  # type: ignore[index]
        is_open = now["started"] == now["ready"] == now["processed"] + 1
        is_begun = now["ready"] == now["started"]
        in_batch_end = current["ready"] == current["processed"] == current["completed"] + 1
        in_epoch_end = is_begun and now["ready"] == now["processed"] == now["completed"] + 1
        at_last = batches["is_last_batch"] and current["ready"] == current["processed"]  # type: ignore[index]
    except (KeyError, TypeError):
        return None
    done = current["processed"]
    if is_begun and not is_open and cut_short and not at_last and done > 0:
        _set(epochs, processed=-1, completed=-1)
        return Place(done, cut_short=True)
    if is_open and at_last and not has_means:
        _set(epochs, processed=0)
    elif is_open and done > 0:
        if in_batch_end:
            _set(batches, completed=0)
        return Place(done, inside_batch_end=in_batch_end)
    for progress in (epochs, batches):
        for counts in (progress["total"], progress["current"]):  # type: ignore[index]
            counts["ready"] = counts["started"] = counts["completed"] = counts["processed"]
    return Place(0, inside_epoch_end=in_epoch_end)


def _set(progress: Any, **behind: int) -> None:
    for counts in (progress["total"], progress["current"]):
        for name, offset in behind.items():
            counts[name] = counts["ready"] + offset
