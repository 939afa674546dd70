"""Callbacks and profilers that look on: they see an ordinary fit, and what a strategy does has a name of its own."""

import datetime

import pytest
import torch
from lightning.pytorch.callbacks import (
    DeviceStatsMonitor,
    LearningRateMonitor,
    ModelSummary,
    RichModelSummary,
    Timer,
)
from lightning.pytorch.profilers import AdvancedProfiler, PyTorchProfiler, SimpleProfiler

from lightning_unlearn import FineTune, GradientSurgery
from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies._cases import every_case
from tests.strategies._modules import Net, Traces, sgd
from tests.strategies._probes import HessianProbe, Nosy

# ---- profilers ---------------------------------------------------------------------------------------------------
OURS = {
    "[unlearn]forget_gradient",
    "[unlearn]retain_hessian_vector_product",
    "[unlearn]forget_hessian_vector_product",
}


def test_the_simple_profiler_lists_what_a_strategy_does():
    profiler = SimpleProfiler()
    fits.fit(Net(), fits.sides(), HessianProbe(), profiler=profiler)
    taken = {name: len(times) for name, times in profiler.recorded_durations.items() if "[unlearn]" in name}
    assert taken == dict.fromkeys(OURS, 10)
    assert "[unlearn]forget_gradient" in profiler.summary()


def test_the_advanced_profiler_lists_what_a_strategy_does(tmp_path):
    profiler = AdvancedProfiler(tmp_path, "profile", line_count_restriction=0.01)
    fits.fit(Net(), fits.sides(), HessianProbe(), profiler=profiler, max_epochs=1)
    report = (tmp_path / "fit-profile.txt").read_text()
    assert all(name in report for name in OURS)


@pytest.mark.filterwarnings("ignore")  # torch's own, of a profiler without an accelerator
def test_the_pytorch_profiler_lists_what_a_strategy_does(tmp_path):
    profiler = PyTorchProfiler(tmp_path, "profile", record_module_names=False, export_to_chrome=False)
    fits.fit(Net(), fits.sides(), HessianProbe(), profiler=profiler, max_epochs=1)
    events = {event.key for event in profiler.function_events}
    assert any("[unlearn]forget_gradient" in event for event in events), sorted(events)


@pytest.mark.parametrize("profiler", ["simple", "advanced"])
def test_a_profiler_changes_nothing(profiler):
    laws.leaves_no_trace(Nosy, Traces, epochs=2, profiler=profiler)


def test_control_a_side_that_is_not_asked_does_not_appear():
    profiler = SimpleProfiler()
    fits.fit(Net(), fits.sides(), FineTune(), profiler=profiler)
    assert not any("[unlearn]" in name for name in profiler.recorded_durations)


# ---- callbacks that look on --------------------------------------------------------------------------------------
LOOKERS = {
    "timer": lambda: Timer(duration="00:01:00:00"),
    "learning-rate": lambda: LearningRateMonitor(logging_interval="step"),
    "summary": ModelSummary,
    "rich-summary": RichModelSummary,
    "device-stats": lambda: DeviceStatsMonitor(cpu_stats=False),
}


@every_case
def test_callbacks_that_look_on_change_nothing(case):
    ends = []
    for lookers in ([], LOOKERS.values()):
        module = Net()
        callbacks = [make() for make in lookers]
        data = laws.loaders_for(case, fits.sides())
        fits.fit(module, data, *callbacks, case.make(), logger=fits.Recording())
        ends.append(fits.weights(module))
    assert fits.same(*ends)


def test_the_learning_rate_is_logged_once_a_step():
    class Scheduled(Net):
        def configure_optimizers(self):
            optimizer = sgd(self.parameters())
            scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    logger = fits.Recording()
    monitor = LearningRateMonitor(logging_interval="step")
    fits.fit(Scheduled(), fits.sides(), GradientSurgery(alpha=1.0), monitor, logger=logger, max_epochs=1)
    rates = [metrics["lr-SGD"] for _, metrics in logger.records if "lr-SGD" in metrics]
    assert rates == pytest.approx([0.1 * 0.5**step for step in range(5)])


def test_a_timer_ends_a_run_between_two_steps():
    timer = Timer(duration=datetime.timedelta(microseconds=1))
    strategy = GradientSurgery(alpha=1.0)
    trainer = fits.fit(Net(), fits.sides(), strategy, timer, max_epochs=3)
    assert trainer.global_step == strategy.progress.step == 1
    assert timer.time_elapsed("train") > 0


def test_max_time_ends_a_run_between_two_steps():
    strategy = GradientSurgery(alpha=1.0)
    trainer = fits.fit(Net(), fits.sides(), strategy, max_time={"microseconds": 1}, max_epochs=3)
    assert trainer.global_step == strategy.progress.step == 1


def test_the_device_stats_monitor_reports_beside_a_strategy():
    pytest.importorskip("psutil")
    logger = fits.Recording()
    fits.fit(
        Net(), fits.sides(), GradientSurgery(alpha=1.0), DeviceStatsMonitor(cpu_stats=True), logger=logger
    )
    assert any("cpu" in name for name in logger.names())
