"""What Lightning leaves out of a checkpoint, and the moments at which a resumed run needs it back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import CombinedLoader
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Generator

from lightning_unlearn.passes import _place, _running, _streams
from lightning_unlearn.passes._patches import Patches

KEY = "lightning_unlearn"  # of the checkpoint


def record(trainer: Trainer, module: LightningModule) -> dict[str, Any]:
    """Of every process: random streams, generators of the loaders, running metrics. To be called by all of them."""
    device = trainer.strategy.root_device
    own = {
        "streams": _streams.to_plain(_streams.record(device), device),
        "generators": [generator.get_state() for generator in _generators(trainer)],
        "running": move_data_to_device(_running.record(trainer, module), torch.device("cpu")),
    }
    ranks = [own]
    if trainer.world_size > 1:
        gathered: list[Any] = [None] * trainer.world_size
        torch.distributed.all_gather_object(gathered, own)
        ranks = gathered
    batches = float(trainer.num_training_batches)
    return {"ranks": ranks, "cut_short": _place.is_cut_short(trainer), "batches": batches}


def _generators(trainer: Trainer) -> Iterator[Generator]:
    """Those that the train loaders draw from, each once."""
    seen = set()
    loaders = trainer.train_dataloader
    for loader in [] if loaders is None else CombinedLoader(loaders).flattened:
        batches = getattr(loader, "batch_sampler", None)
        for owner in (loader, getattr(loader, "sampler", None), batches, getattr(batches, "sampler", None)):
            generator = getattr(owner, "generator", None)
            if isinstance(generator, Generator) and id(generator) not in seen:
                seen.add(id(generator))
                yield generator


class Replay:
    """Puts back what :func:`record` has seen, when the loops have come to where they were.

    Between two epochs the loaders are asked for new iterators once more: Lightning asks for them before
    `on_train_start` when it resumes, but after `on_train_epoch_start` when it just goes on, and this draws random
    numbers. Inside an epoch they have their position from their own state.

    Args:
        trainer: the Trainer.
        module: its module.
        checkpoint: as loaded; the counters of the loops in it are changed (see :func:`_place.straighten`).
    """

    def __init__(self, trainer: Trainer, module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._trainer, self._module = trainer, module
        self.record: dict[str, Any] = checkpoint[KEY]
        self._place = _place.straighten(
            checkpoint["loops"]["fit_loop"],
            cut_short=self.record["cut_short"],
            has_means=self._own_size_matches,
        )
        self._patches, self._while_logging = Patches(), Patches()
        self.pending = self._place is not None
        if self.pending:
            loop = trainer.fit_loop
            self._patches.set(loop, "on_advance_start", self._begin)
            self._patches.set(loop.epoch_loop, "on_run_start", self._go_on)

    def cancel(self) -> None:
        """Leave the Trainer as it is; still pending if there was nothing left to do."""
        self._patches.undo()
        self._while_logging.undo()

    def _begin(self) -> None:
        """Stands in for `FitLoop.on_advance_start`, which runs the hooks of the start of an epoch."""
        loop, place = self._trainer.fit_loop, self._place
        assert place is not None
        if place.batches == 0:
            loop.epoch_loop.restarting = False  # with `max_steps` Lightning takes the last epoch up again
        own = self._own_record()
        self._warn_of_other_data()
        if own is not None:
            _running.restore(self._trainer, self._module, own["running"], self._while_logging)
            loop._restarting = False  # or plateau schedulers are left out at the end of this epoch
            if place.batches > 0:
                # private: what the logs of this epoch are keyed by (tests/resume/test_moments.py)
                self._trainer._logger_connector._first_loop_iter = place.batches == 1
            if place.inside_epoch_end:
                self._end_epoch()
            device = self._trainer.strategy.root_device
            generators = list(_generators(self._trainer))
            if len(generators) == len(own["generators"]):
                for generator, state in zip(generators, own["generators"], strict=True):
                    generator.set_state(state)
            _streams.replay(_streams.from_plain(own["streams"], device), device)
        type(loop).on_advance_start(loop)

    def _own_record(self) -> dict[str, Any] | None:
        ranks: list[dict[str, Any]] = self.record["ranks"]
        if len(ranks) == self._trainer.world_size:
            return ranks[self._trainer.global_rank]
        rank_zero_warn(
            f"The checkpoint is of a run on {len(ranks)} processes, this one has {self._trainer.world_size}: the run goes "
            "on with other random numbers, and its epoch means start anew. Resume with the same number for the same result."
        )
        return None

    def _warn_of_other_data(self) -> None:
        then, now = self.record["batches"], float(self._trainer.num_training_batches)
        if then != now:
            rank_zero_warn(
                f"The checkpoint is of a run with {then:g} batches an epoch, this one has {now:g}: its data or its batch "
                "size are others, and the run goes on with other batches. Resume with the same for the same result."
            )

    def _end_epoch(self) -> None:
        """What `FitLoop.on_advance_end` does after the hooks of the end of an epoch, one of which has saved."""
        # private: Lightning has no other way to do the rest of a step of its own (tests/resume/test_moments.py)
        loop, connector = self._trainer.fit_loop, self._trainer._logger_connector
        loop.epoch_progress.current.completed -= 1  # the logs are of the epoch that ends
        connector.on_epoch_end()
        if loop.epoch_loop._num_ready_batches_reached():
            loop.epoch_loop.update_lr_schedulers("epoch", update_plateau_schedulers=True)
        loop.epoch_loop._batches_that_stepped -= 1
        connector.update_train_epoch_metrics()
        loop.epoch_loop._batches_that_stepped += 1
        loop.epoch_progress.current.completed += 1

    def _go_on(self, data_fetcher: Any) -> None:
        """Stands in for `TrainingEpochLoop.on_run_start`, which is the last call before the first batch."""
        self._patches.undo()
        loop, place = self._trainer.fit_loop.epoch_loop, self._place
        assert place is not None
        if place.batches == 0 and self._trainer.current_epoch > 0:
            iter(data_fetcher)
        loop.on_run_start(data_fetcher)
        if place.inside_batch_end or place.cut_short:
            loop.on_iteration_done()  # there is nothing left to be repeated
            loop.val_loop.restarting = False
        if place.inside_batch_end:
            self._end_batch(data_fetcher)
        self.pending = False

    def _end_batch(self, data_fetcher: Any) -> None:
        """What the epoch loop does after the hooks of the end of a batch, one of which has saved."""
        # private: as above
        loop, connector = self._trainer.fit_loop.epoch_loop, self._trainer._logger_connector
        if self._own_size_matches:
            connector.on_batch_end()
            connector.update_train_step_metrics()
        loop.on_advance_end(data_fetcher)

    @property
    def _own_size_matches(self) -> bool:
        return len(self.record["ranks"]) == self._trainer.world_size
