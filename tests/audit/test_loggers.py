"""Loggers that take pictures get those of the page; others get nothing."""

import json

import pytest
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger, WandbLogger

from lightning_unlearn.audit._loggers import log_figures
from lightning_unlearn.audit.figures import figures
from tests.audit._samples import classification, generator, without_reference

SAMPLES = ["audit/samples-1", "audit/samples-2"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorBoard's own, under new NumPy and protobuf
def test_tensorboard_has_every_figure(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logger = TensorBoardLogger(tmp_path, name="", version="")
    report = without_reference()
    tags = log_figures(report, [logger])
    logger.finalize("success")
    events = accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert set(events.Tags()["images"]) == set(tags) == {f"audit/{shown.name}" for shown in figures(report)}
    assert events.Tags()["scalars"] == []
    for tag in tags:
        (event,) = events.Images(tag)
        assert event.encoded_image_string[:4] == b"\x89PNG"
        assert event.step == 0
        assert event.width > 400


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # W&B's own
def test_weights_and_biases_have_the_samples_with_a_caption(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = WandbLogger(save_dir=tmp_path, offline=True)
    assert log_figures(generator(), [logger]) == SAMPLES
    summary = dict(logger.experiment.summary)
    wandb.finish()
    assert set(SAMPLES) == {name for name in summary if name.startswith("audit/")}
    images = [path for path in tmp_path.rglob("*.png") if "audit" in path.parts]
    assert len(images) == 2
    captions = json.dumps({name: summary[name]["captions"] for name in SAMPLES})
    assert "none of them a three." in captions


def test_loggers_that_take_no_pictures_get_nothing(tmp_path):
    assert log_figures(classification(), [CSVLogger(tmp_path)]) == []
    assert log_figures(classification(), []) == []
    assert list(tmp_path.iterdir()) == []
