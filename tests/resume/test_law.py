"""Law 6 for every row of the case list and for every kind of state, in mid-epoch and between two epochs."""

import pytest
import torch

from lightning_unlearn import GradientDifference, GradientSurgery
from tests.resume import _law as law
from tests.resume._probes import PROBES, Elsewhere, FisherLike, PreparedAgain, WithoutStreams
from tests.strategies._cases import every_case
from tests.strategies._laws import scaler
from tests.strategies._modules import adamw

pytestmark = pytest.mark.filterwarnings("ignore:You have overridden `on_after_batch_transfer`")
MID_EPOCH, BETWEEN = ("batch", 3), ("epoch", 5)


@every_case
def test_every_strategy_resumes_exactly(case, tmp_path):
    alone = {"data": law.forget_alone, "module": law.WithoutMetrics}
    law.resumes_exactly(tmp_path, case.make, MID_EPOCH, BETWEEN, **(alone if case.retain_free else {}))


@pytest.mark.parametrize("probe", PROBES)
def test_every_kind_of_state_outlives_an_interruption(probe, tmp_path):
    law.resumes_exactly(tmp_path, probe, MID_EPOCH, BETWEEN)


@pytest.mark.parametrize("probe", [FisherLike, *PROBES[-1:]])
def test_large_state_outlives_it_in_a_file_of_its_own(probe, tmp_path):
    law.resumes_exactly(tmp_path, lambda: probe(state_dir=str(tmp_path / "large")), MID_EPOCH, BETWEEN)


@pytest.mark.parametrize(
    "setting",
    [
        {"accumulate_grad_batches": 2},
        {"plugins": scaler},
        {"module": lambda: law.Module(adamw)},
        {"gradient_clip_val": 0.05},
        {"max_steps": 9},
    ],
    ids=["accumulation", "scaler", "adamw", "clipping", "max-steps"],
)
def test_it_resumes_exactly_under(setting, tmp_path):
    if "plugins" in setting:
        whole = law.run(GradientSurgery(alpha=1.0), plugins=[scaler()])
        killed = law.run(GradientSurgery(alpha=1.0), law.Stop(tmp_path / "a", *MID_EPOCH), plugins=[scaler()])
        resumed = law.run(GradientSurgery(alpha=1.0), ckpt_path=tmp_path / "a", plugins=[scaler()], seed=1)
        law.agree(whole, killed, resumed)
        assert law.same(*(r.trainer.precision_plugin.scaler.state_dict() for r in (whole, resumed)))
        return
    points = [("batch", 2), ("epoch", 3)] if "accumulate_grad_batches" in setting else [MID_EPOCH, BETWEEN]
    law.resumes_exactly(tmp_path, GradientSurgery, *points, **setting)


def test_a_checkpoint_loads_with_weights_only(tmp_path):
    for probe in PROBES:
        law.run(probe(), law.Stop(tmp_path / "a", *MID_EPOCH))
        torch.load(tmp_path / "a", weights_only=True)


# ---- negative controls -----------------------------------------------------------------------------------------------
def test_control_one_step_fewer_differs(tmp_path):
    whole = law.run(GradientDifference(alpha=0.1))
    law.run(GradientDifference(alpha=0.1), law.Stop(tmp_path / "a", *MID_EPOCH))
    resumed = law.run(GradientDifference(alpha=0.1), ckpt_path=tmp_path / "a", max_steps=9)
    with pytest.raises(AssertionError):
        law.agree(whole, None, resumed)


@pytest.mark.parametrize(
    ("probe", "difference"),
    [(Elsewhere, "parameters"), (WithoutStreams, "batches|parameters"), (PreparedAgain, "parameters")],
)
@pytest.mark.parametrize("point", [MID_EPOCH, BETWEEN], ids=["mid-epoch", "between-epochs"])
def test_control_state_that_is_lost_shows(probe, difference, point, tmp_path):
    with pytest.raises(AssertionError, match=difference):
        law.resumes_exactly(tmp_path, probe, point)
