"""Law 6 at every moment at which a run can end or save: hooks, limits, exceptions, the last batch of an epoch."""

import contextlib
from datetime import timedelta

import lightning.pytorch as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, OnExceptionCheckpoint, Timer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torchmetrics import MaxMetric, MeanMetric, MetricCollection

from lightning_unlearn import GradientSurgery
from tests.manual.test_traces import ManualTraces, NoisyGan
from tests.resume import _law as law
from tests.resume._probes import Averaging, Counting
from tests.strategies._laws_failure import interruptible
from tests.strategies._modules import sgd

pytestmark = pytest.mark.filterwarnings("ignore:You have overridden `on_after_batch_transfer`")


@pytest.mark.parametrize("step", range(1, 10))
def test_at_the_end_of_any_batch(step, tmp_path):
    law.resumes_exactly(tmp_path, Counting, ("batch", step))


def test_three_times_in_a_row(tmp_path):
    whole, log, path = law.run(Averaging(), max_epochs=3), [], None
    for number, point in enumerate([("batch", 3), ("epoch", 5), ("batch", 10)]):
        part = law.run(
            Averaging(), law.Stop(tmp_path / f"{number}", *point), ckpt_path=path, seed=number, max_epochs=3
        )
        log, path = log + part.log, tmp_path / f"{number}"
    end = law.run(Averaging(), ckpt_path=path, max_epochs=3)
    law.agree(whole, part._replace(log=log), end)


# ---- validation and schedulers that watch it -------------------------------------------------------------------------
class WatchingTraining(law.Module):
    """The scheduler follows the mean loss of an epoch."""

    monitor = "loss_epoch"

    def configure_optimizers(self):
        optimizer = sgd(self.parameters())
        scheduler = ReduceLROnPlateau(optimizer, patience=0, factor=0.5)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": self.monitor}}


class Watching(WatchingTraining):
    """It follows a validation that draws, too."""

    monitor = "validation"

    def validation_step(self, batch, batch_idx):
        self.log("validation", self(batch[0]).mean() + torch.rand(()))


class Both(Watching):
    monitor = "loss_epoch"


EVERYWHERE = [("batch", 2), ("batch", 5), ("batch", 6), ("epoch", 5), ("validation", 5)]


class Scored(law.Module):
    """Validation logs metrics by object, which Lightning resets after the hooks that save."""

    def __init__(self, optimizer=sgd):
        super().__init__(optimizer)
        metrics = {"mean": MeanMetric(), "largest": MaxMetric()}
        self.of_validation = MetricCollection(metrics, compute_groups=False)

    def validation_step(self, batch, batch_idx):
        self.of_validation.update(self(batch[0]).sum())
        self.log_dict(self.of_validation)


@pytest.mark.parametrize("step", [2, 4, 7])
def test_with_metric_objects_in_a_validation_inside_an_epoch(step, tmp_path):
    setting = {"module": Scored, "data": law.validated, "val_check_interval": 2}
    law.resumes_exactly(tmp_path, GradientSurgery, ("validation", step), **setting)


def test_with_validation_after_each_epoch(tmp_path):
    law.resumes_exactly(tmp_path, GradientSurgery, *EVERYWHERE, module=Watching, data=law.validated)


@pytest.mark.parametrize("step", [2, 4, 7])
def test_with_validation_inside_an_epoch(step, tmp_path):
    points = [("batch", step), ("validation", step)]
    setting = {"val_check_interval": 2, "module": Both, "data": law.validated}
    law.resumes_exactly(tmp_path, GradientSurgery, *points, **setting)


@pytest.mark.parametrize("limit", [-1, 10])
def test_with_a_scheduler_that_follows_the_mean_loss_of_an_epoch(limit, tmp_path):
    points = EVERYWHERE[:-1]
    law.resumes_exactly(tmp_path, GradientSurgery, *points, module=WatchingTraining, max_steps=limit)


# ---- limits ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("step", [3, 5, 7])
@pytest.mark.parametrize("moment", ["in-epoch-end", "afterwards"])
def test_a_run_that_max_steps_has_ended_goes_on(step, moment, tmp_path):
    whole = law.run(Counting())
    stop = [law.Stop(tmp_path / "a", "epoch", step, error=None)] if moment == "in-epoch-end" else []
    part = law.run(Counting(), *stop, max_steps=step)
    if not stop:
        part.trainer.save_checkpoint(tmp_path / "a")
    resumed = law.run(Counting(), ckpt_path=tmp_path / "a", seed=1)
    law.agree(whole, None, resumed)
    if moment == "in-epoch-end":  # the epoch's mean is that of the whole epoch
        losses = [[row["loss_epoch"] for _, row in r.log if "loss_epoch" in row] for r in (whole, resumed)]
        assert losses[0][-len(losses[1]) :] == losses[1]


class Clock(Timer):
    """A second a step."""

    def __init__(self, seconds):
        super().__init__(timedelta(seconds=seconds))

    def on_train_start(self, trainer, pl_module):
        super().on_train_start(trainer, pl_module)
        self.trainer = trainer

    def time_elapsed(self, stage=None):
        return float(self.trainer.global_step) if hasattr(self, "trainer") else 0.0


@pytest.mark.parametrize("seconds", [3, 6])
def test_a_run_that_max_time_has_ended_goes_on(seconds, tmp_path):
    whole = law.run(Counting(), Clock(100))
    part = law.run(Counting(), Clock(seconds))
    assert part.trainer.global_step == seconds
    part.trainer.save_checkpoint(tmp_path / "a")
    law.agree(whole, None, law.run(Counting(), Clock(100), ckpt_path=tmp_path / "a", seed=1))


@pytest.mark.parametrize("probe", [Counting, Averaging])
def test_nothing_left_to_do_is_no_error(probe, tmp_path):
    done = law.run(probe())
    done.trainer.save_checkpoint(tmp_path / "a")
    again = law.run(probe(), ckpt_path=tmp_path / "a", seed=1)
    assert not again.module.seen
    assert law.same(done.module.state_dict(), again.module.state_dict())
    again.trainer.save_checkpoint(tmp_path / "b")
    more = law.run(probe(), ckpt_path=tmp_path / "b", max_epochs=3)
    law.agree(law.run(probe(), max_epochs=3), None, more)


def test_who_was_stopped_on_purpose_does_not_take_the_epoch_up_again(tmp_path):
    class Enough(L.Callback):
        def on_train_batch_end(self, trainer, *_):
            trainer.should_stop = trainer.global_step == 3

    done = law.run(Counting(), Enough(), max_epochs=1)
    done.trainer.save_checkpoint(tmp_path / "a")
    assert not law.run(Counting(), Enough(), ckpt_path=tmp_path / "a", max_epochs=1).module.seen


# ---- interruptions ---------------------------------------------------------------------------------------------------
def test_a_keyboard_interrupt(tmp_path):
    with interruptible():
        law.resumes_exactly(tmp_path, Counting, ("batch", 3), ("epoch", 5), error=KeyboardInterrupt)


class Failing(L.Callback):
    """Raises at the end of the third batch."""

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == 3:
            raise law.Killed


@pytest.mark.filterwarnings(
    "ignore:.*was called without a model"
)  # Lightning: it takes the checkpoint up if there is one
@pytest.mark.filterwarnings("ignore:.*there is no last checkpoint available")
@pytest.mark.parametrize("place", ["before", "behind"])
def test_an_exception_in_a_callback_wherever_it_stands(place, tmp_path):
    whole = law.run(Counting())
    first = {"first": Failing()} if place == "before" else {}
    others = [] if first else [Failing()]
    killed = law.run(Counting(), *others, OnExceptionCheckpoint(tmp_path), **first)
    assert killed.strategy._session is None
    resumed = law.run(Counting(), ckpt_path=tmp_path / "on_exception.ckpt", seed=1)
    law.agree(whole, killed, resumed)


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")
def test_model_checkpoint_and_its_last(tmp_path):
    whole = law.run(Averaging())
    saves = ModelCheckpoint(tmp_path, every_n_train_steps=2, save_last=True, save_top_k=-1)
    with contextlib.suppress(law.Killed):
        law.run(Averaging(), saves, law.Stop(tmp_path / "unused", "batch", 7))
    resumed = law.run(
        Averaging(),
        ModelCheckpoint(tmp_path, every_n_train_steps=2, save_last=True),
        ckpt_path="last",
        seed=1,
    )
    assert len(resumed.module.seen) == 4
    law.agree(whole, None, resumed)


# ---- optimisers that the module steps itself -------------------------------------------------------------------------
class Seen:
    """Keeps a list of the batches, as `law.Module` does."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_start(self, batch, batch_idx):
        self.seen.append((self.trainer.current_epoch, batch_idx, float(batch[0].double().sum())))


class ByHand(Seen, ManualTraces):
    pass


class TwoByHand(Seen, NoisyGan):
    pass


@pytest.mark.parametrize(("module", "steps"), [(ByHand, 1), (TwoByHand, 2)])
def test_manual_optimisation_with_one_optimiser_and_with_two(module, steps, tmp_path):
    points = [("batch", 3 * steps), ("batch", 5 * steps), ("epoch", 5 * steps)]
    law.resumes_exactly(tmp_path, GradientSurgery, *points, module=module)


# ---- off the boundary ------------------------------------------------------------------------------------------------
class SavesAlways(L.Callback):
    def __init__(self, path):
        self.path = path

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        trainer.save_checkpoint(self.path / f"{trainer.current_epoch}-{batch_idx}")


def test_a_checkpoint_inside_a_window_is_told_of_once(tmp_path):
    with pytest.warns(UserWarning, match="in the middle of an optimiser step") as caught:
        law.run(GradientSurgery(alpha=1.0), SavesAlways(tmp_path), accumulate_grad_batches=2)
    assert sum("in the middle" in str(w.message) for w in caught) == 1


def test_one_on_its_boundary_is_not(tmp_path):
    law.run(GradientSurgery(alpha=1.0), SavesAlways(tmp_path))
    law.run(GradientSurgery(alpha=1.0), law.Stop(tmp_path / "a", "epoch", 3), accumulate_grad_batches=2)


# ---- what is logged --------------------------------------------------------------------------------------------------
def test_a_log_call_with_other_arguments_than_before_starts_its_mean_anew(tmp_path):
    class Changed(law.WithoutMetrics):
        def log(self, name, value, **options):
            super().log(name, value, **{**options, "prog_bar": True})

    law.run(GradientSurgery(alpha=1.0), law.Stop(tmp_path / "a", "batch", 3), module=law.WithoutMetrics)
    resumed = law.run(GradientSurgery(alpha=1.0), ckpt_path=tmp_path / "a", module=Changed)
    assert "loss_epoch" in resumed.trainer.progress_bar_metrics


def test_control_without_the_running_means_an_epoch_mean_differs(tmp_path, monkeypatch):
    monkeypatch.setattr("lightning_unlearn.passes._running.restore", lambda *_: None)
    with pytest.raises(AssertionError, match="logs differ"):
        law.resumes_exactly(tmp_path, GradientSurgery, ("batch", 3), module=law.WithoutMetrics)


def test_a_run_leaves_no_replacement_in_the_trainer(tmp_path):
    law.run(Counting(), law.Stop(tmp_path / "a", "batch", 3))
    resumed = law.run(Counting(), ckpt_path=tmp_path / "a")
    loop = resumed.trainer.fit_loop
    for owner, name in (
        (loop, "on_advance_start"),
        (loop.epoch_loop, "on_run_start"),
        (loop.epoch_loop._results, "log"),
    ):
        assert name not in vars(owner)


def test_no_logger_is_needed(tmp_path):
    whole = law.run(Counting(), logger=False)
    law.run(Counting(), law.Stop(tmp_path / "a", "batch", 3), logger=False)
    law.agree(whole, None, law.run(Counting(), ckpt_path=tmp_path / "a", logger=False))


@pytest.mark.parametrize("point", [("batch", 3), ("batch", 5), ("epoch", 5)])
def test_another_number_of_processes_is_told_of_once_and_the_run_goes_on(point, tmp_path):
    law.run(Counting(), law.Stop(tmp_path / "a", *point))
    checkpoint = torch.load(tmp_path / "a", weights_only=True)
    checkpoint["lightning_unlearn"]["ranks"] *= 2
    torch.save(checkpoint, tmp_path / "b")
    with pytest.warns(UserWarning, match="of a run on 2 processes, this one has 1") as caught:
        resumed = law.run(Counting(), ckpt_path=tmp_path / "b")
    assert sum("of a run on 2" in str(w.message) for w in caught) == 1
    assert len(resumed.module.seen) == 10 - point[1]


def test_a_checkpoint_from_before_there_was_a_record_still_loads(tmp_path):
    law.run(Counting(), law.Stop(tmp_path / "a", "batch", 3))
    checkpoint = torch.load(tmp_path / "a", weights_only=True)
    del checkpoint["lightning_unlearn"]
    torch.save(checkpoint, tmp_path / "b")
    assert len(law.run(Counting(), ckpt_path=tmp_path / "b").module.seen) == 7
