"""What the monitor writes, read back from files, and what it shows."""

import csv
import struct

import pytest
from lightning.pytorch.callbacks import RichProgressBar, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger, WandbLogger
from torch.utils.data import DataLoader

from lightning_unlearn import ForgettingMonitor, GradientAscent, GradientSurgery
from tests.monitor._setups import FORGET, TEST, Clouds, monitored

NAMES = {f"unlearn/{s}_{m}" for s in ("forget", "retain", "test") for m in ("accuracy", "loss")}
DIAGNOSTICS = {"unlearn/grad_cosine", "unlearn/conflict_rate", "unlearn/removed_fraction"}


def run(logger, **arguments):
    monitor = ForgettingMonitor(every_n_steps=3, target=None, retain_floor=0.0, test=DataLoader(TEST, 8))
    monitored(
        GradientSurgery(alpha=1.0), None, Clouds(), monitor, logger=logger, log_every_n_steps=2, **arguments
    )
    return {name: [(row["step"], row[name]) for row in monitor.history] for name in NAMES}


def approximately(points):
    return [(step, pytest.approx(value, rel=1e-6)) for step, value in points]


def test_csv(tmp_path):
    expected = run(CSVLogger(tmp_path, name="", version=""))
    rows = list(csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines()))
    assert set(rows[0]) == NAMES | DIAGNOSTICS | {"epoch", "step"}
    for name in NAMES:
        points = [(int(row["step"]), float(row[name])) for row in rows if row[name]]
        assert points == approximately(expected[name])
    assert any(row["unlearn/grad_cosine"] for row in rows)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorBoard's own, under new NumPy and protobuf
def test_tensorboard(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    expected = run(TensorBoardLogger(tmp_path, name="", version=""))
    events = accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert set(events.Tags()["scalars"]) == NAMES | DIAGNOSTICS | {"epoch"}
    for name in NAMES:
        points = [(event.step, event.value) for event in events.Scalars(name)]
        assert points == approximately(expected[name])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # W&B's own
def test_weights_and_biases_offline(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = WandbLogger(save_dir=tmp_path, offline=True)
    expected = run(logger)
    wandb.finish()
    (path,) = tmp_path.rglob("*.wandb")
    points = {name: [] for name in NAMES}
    for row in history_of(path):
        for name in NAMES & set(row):
            points[name].append((int(row["trainer/global_step"]), float(row[name])))
    for name in NAMES:
        assert points[name] == approximately(expected[name])


def history_of(path):
    from wandb.proto import wandb_internal_pb2

    for data in records_of(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "history":
            yield {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}


def records_of(content, block=32768, header=7):
    """The records of a `.wandb` file: LevelDB's log format (checksum, length, kind) behind a header of 7 bytes."""
    assert content[:4] == b":W&B"
    at, record = header, b""
    while at < len(content):
        if block - at % block < header:  # too short for another record
            at += block - at % block
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + header])
        record += content[at + header : at + header + length]
        at += header + length
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


def test_names_are_the_same_for_every_logger_and_without_one(tmp_path):
    both = [CSVLogger(tmp_path, name="a", version=""), CSVLogger(tmp_path, name="b", version="")]
    run(both)
    assert (tmp_path / "a" / "metrics.csv").read_text() == (tmp_path / "b" / "metrics.csv").read_text()
    monitor = ForgettingMonitor(every_n_steps=3, target=None, test=DataLoader(TEST, 8))
    trainer, *_ = monitored(GradientSurgery(alpha=1.0), monitor=monitor)
    assert {name for name in trainer.callback_metrics if name.startswith("unlearn/")} == NAMES | DIAGNOSTICS


# ---- the progress bar ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("bar", [TQDMProgressBar, RichProgressBar])
@pytest.mark.filterwarnings("ignore:.*ipywidgets")
def test_two_numbers_in_the_progress_bar(bar, capsys):
    monitor = ForgettingMonitor(every_n_steps=3, target=None, test=DataLoader(TEST, 8), retain_floor=0.0)
    trainer, *_ = monitored(
        GradientSurgery(alpha=1.0), None, Clouds(), monitor, [bar()], enable_progress_bar=True
    )
    shown = {name for name in trainer.progress_bar_metrics if name.startswith("unlearn/")}
    assert shown == {"unlearn/forget_accuracy", "unlearn/retain_accuracy"}
    for name in shown:
        assert trainer.progress_bar_metrics[name] == pytest.approx(monitor.history[-1][name], abs=1e-6)
    out, err = capsys.readouterr()
    assert "Epoch 1" in out + err


def test_one_number_where_there_is_no_retain_side():
    monitor = ForgettingMonitor(every_n_steps=1, target=None)
    trainer, *_ = monitored(GradientAscent(), {"forget": DataLoader(FORGET, 8)}, monitor=monitor)
    assert {n for n in trainer.progress_bar_metrics if n.startswith("unlearn/")} == {
        "unlearn/forget_accuracy"
    }
