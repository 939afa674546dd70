"""`strategy.state`: what may be in it, where it comes back, and the file of its own that it can have."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_unlearn import (
    ConfigurationError,
    Gradient,
    GradientDifference,
    GradientSurgery,
    UnlearningStrategy,
)
from lightning_unlearn.passes._plain import from_plain, to_plain
from tests.resume import _law as law
from tests.resume._probes import Averaging, FisherLike
from tests.strategies import _fits as fits
from tests.strategies._modules import Net

pytestmark = pytest.mark.filterwarnings("ignore:You have overridden `on_after_batch_transfer`")
STATE = {
    "gradient": Gradient({"w": torch.ones(2, dtype=torch.bfloat16), "absent": None}),
    "nested": {"list": [torch.arange(3), 1, 2.5, "text", None, True], 4: {}},
    "parameter": torch.nn.Parameter(torch.zeros(())),
}


def as_nested(value):
    return dict(value.items()) if isinstance(value, Gradient) else value


def test_every_kind_of_value_comes_back(tmp_path):
    torch.save(to_plain(STATE, "state", None), tmp_path / "a")
    back = from_plain(torch.load(tmp_path / "a", weights_only=True), {}, torch.device("cpu"))
    assert isinstance(back["gradient"], Gradient)
    for key, value in STATE.items():
        assert law.same(as_nested(back[key]), as_nested(value)), key


class Keeping(GradientDifference):
    """Keeps one value."""

    def __init__(self, value, key="mine"):
        super().__init__()
        self.value, self.key = value, key

    def prepare(self, module, forget, retain):
        self.state[self.key] = self.value


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({"a": [np.zeros(2)]}, r"Keeping.state\['mine'\]\['a'\]\[0\]"),
        (np.float64(1.0), r"state\['mine'\]"),
        (lambda: None, "function"),
        ({(1, 2): 3}, "Keys of"),
        (torch.nn.Linear(1, 1), "Linear"),
    ],
)
def test_what_is_not_made_of_tensors_and_primitives_is_refused_by_name(value, name, tmp_path):
    with pytest.raises(ConfigurationError, match=name):
        law.run(Keeping(value), law.Stop(tmp_path / "a", "batch", 1))


def test_names_must_be_strings(tmp_path):
    with pytest.raises(ConfigurationError, match="`state` must be strings, found 3"):
        law.run(Keeping(1, key=3), law.Stop(tmp_path / "a", "batch", 1))


def test_a_second_fit_of_the_same_object_starts_without_state():
    strategy = Averaging()
    ends = [law.run(strategy) for _ in range(2)]
    assert law.same(ends[0].module.state_dict(), ends[1].module.state_dict())
    assert strategy.progress.step == 10


def test_the_count_of_conflicts_goes_on(tmp_path):
    law.resumes_exactly(tmp_path, GradientSurgery, ("batch", 3))  # unlearn/conflict_rate is among the logs
    state = torch.load(tmp_path / "0.ckpt", weights_only=True)["callbacks"]["GradientSurgery"]
    assert state["values"]["state/evaluations"] == 3


def test_a_gradient_goes_to_the_dtype_it_had_and_a_half_precision_original_too(tmp_path):
    law.resumes_exactly(tmp_path, Averaging, ("batch", 3), precision="bf16-mixed")


# ---- a state that was saved before the run began ---------------------------------------------------------------------
class SavesEarly(law.Stop):
    def on_fit_start(self, trainer, pl_module):
        trainer.save_checkpoint(self.path)
        raise law.Killed


class CountsPreparations(UnlearningStrategy):
    prepared = 0

    def prepare(self, module, forget, retain):
        self.prepared += 1

    def direction(self, forget, retain):
        return retain.gradient()


def test_a_run_that_had_not_begun_is_prepared_when_it_is_resumed(tmp_path):
    law.run(CountsPreparations(), SavesEarly(tmp_path / "a", "", 0))
    resumed = law.run(CountsPreparations(), ckpt_path=tmp_path / "a")
    assert resumed.strategy.prepared == 1
    law.run(CountsPreparations(), law.Stop(tmp_path / "b", "batch", 1))
    assert law.run(CountsPreparations(), ckpt_path=tmp_path / "b").strategy.prepared == 0


# ---- a file of its own -----------------------------------------------------------------------------------------------
def saved(folder, strategy=Averaging, **arguments):
    """The one file of large state, and a checkpoint that names it."""
    path, large = folder / "a.ckpt", folder / "large"
    law.run(strategy(state_dir=str(large)), law.Stop(path, "batch", 3), **arguments)
    [file] = large.iterdir()
    return path, file


def test_the_file_is_named_by_its_content_and_written_once(tmp_path):
    path, file = saved(tmp_path, FisherLike)
    state = torch.load(path, weights_only=True)["callbacks"]["FisherLike"]
    assert state["values"] == {}
    assert state["file"] == {"path": str(file), "sha256": file.stem, "names": ["state/fisher"]}
    before = file.stat().st_mtime_ns
    law.run(FisherLike(state_dir=str(file.parent)), law.Stop(tmp_path / "b", "batch", 5), ckpt_path=path)
    assert [(f, f.stat().st_mtime_ns) for f in file.parent.iterdir()] == [(file, before)]
    again = torch.load(tmp_path / "b", weights_only=True)["callbacks"]["FisherLike"]
    assert again["file"] == state["file"]


class Decaying(FisherLike):
    def direction(self, forget, retain):
        self.state["fisher"].mul_(0.5)
        return super().direction(forget, retain)


def test_what_changes_later_is_in_the_checkpoint(tmp_path):
    law.resumes_exactly(tmp_path, lambda: Decaying(state_dir=str(tmp_path / "large")), ("batch", 3))
    state = torch.load(tmp_path / "0.ckpt", weights_only=True)["callbacks"]["Decaying"]
    assert "file" not in state
    assert list(state["values"]) == ["state/fisher"]


def test_without_a_file_the_checkpoint_holds_all(tmp_path):
    law.run(Averaging(), law.Stop(tmp_path / "a", "batch", 3))
    state = torch.load(tmp_path / "a", weights_only=True)["callbacks"]["Averaging"]
    assert set(state["values"]) == {"original", "state/mean"}


def test_a_missing_file_is_named(tmp_path):
    path, file = saved(tmp_path)
    file.unlink()
    with pytest.raises(
        ConfigurationError, match=rf"{file.name}` must be there to resume.*{file.stem}.*`state_dir`"
    ):
        law.run(Averaging(), ckpt_path=path)


def test_another_content_is_noticed(tmp_path):
    path, file = saved(tmp_path)
    file.write_bytes(b"something else")
    found = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(ConfigurationError, match=f"must have SHA-256 {file.stem} to resume, found {found}"):
        law.run(Averaging(), ckpt_path=path)


def test_a_file_that_was_moved_is_found_in_the_folder_of_today(tmp_path):
    whole = law.run(Averaging())
    path, file = saved(tmp_path)
    file.parent.rename(tmp_path / "elsewhere")
    resumed = law.run(Averaging(state_dir=str(tmp_path / "elsewhere")), ckpt_path=path, seed=1)
    law.agree(whole._replace(strategy=resumed.strategy), None, resumed)


def test_a_checkpoint_can_be_tested_without_its_file(tmp_path):
    path, file = saved(tmp_path)
    file.unlink()

    class Tested(law.Module):
        def test_step(self, batch, batch_idx):
            self.log("tested", self(batch[0]).mean())

    trainer = fits.L.Trainer(**fits.QUIET, callbacks=[Averaging()])
    trainer.test(Tested(), torch.utils.data.DataLoader(law.plain(4, 3), 4), ckpt_path=path, verbose=False)
    assert "tested" in trainer.callback_metrics


def test_nothing_large_writes_nothing(tmp_path):
    law.run(GradientSurgery(alpha=1.0, state_dir=str(tmp_path / "large")))
    assert not Path(tmp_path / "large").exists()


def test_an_interrupted_write_leaves_no_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr("lightning_unlearn.passes._state_file.torch.save", full)
    with pytest.raises(OSError, match="disk full"):
        fits.fit(Net(), fits.sides(), Averaging(state_dir=str(tmp_path / "large")))
    assert list((tmp_path / "large").iterdir()) == []
