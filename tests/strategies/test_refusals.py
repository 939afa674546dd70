"""Loaders and Trainers that a strategy cannot work with are refused before the first step, with the remedy."""

import lightning.pytorch as L
import pytest
import torch
from lightning.pytorch.strategies import SingleDeviceStrategy
from lightning.pytorch.utilities import CombinedLoader
from torch import zeros
from torch.optim import SGD
from torch.utils.data import DataLoader

from lightning_unlearn import (
    ConfigurationError,
    EditStrategy,
    FineTune,
    GradientAscent,
    GradientSurgery,
    RetainSurgery,
    UnlearningDataModule,
)
from tests._refusing import PATCHED, refuse
from tests.strategies._fits import QUIET, fit, same, samples, sides, streams, weights
from tests.strategies._modules import Net


def loader(samples_=8, batch_size=4, **options):
    return DataLoader(samples(samples_, 1), batch_size, generator=torch.Generator(), **options)


@pytest.fixture(autouse=True)
def _no_file_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


# ---- loaders ---------------------------------------------------------------------------------------------------
REMEDY = "Use `UnlearningDataModule`, or `trainer.fit(module, {"


@pytest.mark.parametrize(
    ("strategy", "given", "missing"),
    [
        (GradientSurgery, "retain", "forget"),
        (GradientSurgery, "forget", "retain"),
        (RetainSurgery, "retain", "forget"),
        (FineTune, "forget", "retain"),
        (GradientAscent, "retain", "forget"),
    ],
)
def test_a_side_is_missing(strategy, given, missing):
    message = f"must have the side \"{missing}\", found ['{given}']. {REMEDY}"
    refuse(Net(), {given: loader()}, strategy(), match=message)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (loader(), "a DataLoader"),
        ([loader(), loader()], "a list"),
        (CombinedLoader([loader(), loader()], "min_size"), "a list"),
    ],
    ids=["loader", "list", "combined"],
)
def test_no_mapping(data, found):
    message = f'must be a mapping with the sides "forget", "retain", found {found}. {REMEDY}"forget": loader'
    refuse(Net(), data, GradientSurgery(alpha=1.0), match=message)


def test_unknown_sides():
    data = sides() | {"remain": loader(), "extra": loader()}
    message = (
        "The sides must be \"forget\" and \"retain\" alone, found ['extra', 'remain'] besides. " + REMEDY
    )
    refuse(Net(), data, GradientSurgery(alpha=1.0), match=message)


def test_misnamed_sides_are_reported_together():
    data = {"retain": loader(), "forget_me": loader()}
    match = ["found ['forget_me']", "must have the side \"forget\", found ['forget_me', 'retain']"]
    refuse(Net(), data, GradientSurgery(alpha=1.0), match=match)


@pytest.mark.parametrize("empty", ["forget", "retain"])
@pytest.mark.parametrize("mode", [None, "min_size", "max_size_cycle"])
@pytest.mark.parametrize("why", ["no samples", "drop_last"])
@pytest.mark.filterwarnings("ignore:Total length of .* across ranks is zero")  # Lightning says it too
def test_an_empty_side(empty, mode, why):
    nothing = loader(0) if why == "no samples" else loader(3, 4, drop_last=True)
    data = sides() | {empty: nothing}
    data = data if mode is None else CombinedLoader(data, mode)
    message = (
        f'The "{empty}" loader must give at least one batch, found none. Check its data set, and `drop_last`'
    )
    refuse(Net(), data, GradientSurgery(alpha=1.0), match=message)


class Counter(Net):
    """Counts the batches of each side by their first sample."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def training_step(self, batch, batch_idx):
        self.seen.append(float(batch[0][0, 0]))
        return super().training_step(batch, batch_idx)


@pytest.mark.parametrize(("retain", "forget"), [(12, 4), (4, 12), (8, 8), (12, 8), (8, 12)])
@pytest.mark.parametrize(
    ("mode", "batches"),
    [(None, max), ("max_size_cycle", max), ("min_size", min)],
    ids=["mapping", "max", "min"],
)
def test_sides_of_any_length(retain, forget, mode, batches):
    data, module = sides(retain, forget), Counter()
    expected = batches(retain, forget) // 4
    firsts = {side: [float(batch[0][0, 0]) for batch in own] for side, own in data.items()}
    trainer = fit(
        module, data if mode is None else CombinedLoader(data, mode), GradientSurgery(alpha=1.0), max_epochs=1
    )
    assert trainer.global_step == expected
    for own in firsts.values():  # the shorter side starts over
        assert [x for x in module.seen if x in own] == [own[t % len(own)] for t in range(expected)]


def test_the_mode_max_size_gives_none_for_the_shorter_side():
    message = 'must be "max_size_cycle" or "min_size", found "max_size", which gives None'
    refuse(Net(), CombinedLoader(sides(12, 4), "max_size"), GradientSurgery(alpha=1.0), match=message)


def test_the_mode_max_size_is_fine_for_sides_of_equal_length():
    assert fit(Net(), CombinedLoader(sides(8, 8), "max_size"), GradientSurgery(alpha=1.0)).global_step == 4


# ---- the Trainer -----------------------------------------------------------------------------------------------
class Engine(SingleDeviceStrategy):
    """What DeepSpeed says of itself."""

    @property
    def handles_gradient_accumulation(self):
        return True


def test_a_trainer_strategy_that_owns_the_gradients():
    message = 'must leave gradients in `p.grad`, found Engine, whose engine owns them. Use `strategy="ddp"`'
    refuse(Net(), sides(), GradientSurgery(alpha=1.0), match=message, strategy=Engine)


def test_two_strategies():
    message = "`callbacks` must hold one unlearning strategy, found another: RetainSurgery. Keep one"
    refuse(Net(), sides(), GradientSurgery(alpha=1.0), RetainSurgery(), match=message)


class Frozen(Net):
    def __init__(self):
        super().__init__()
        self.requires_grad_(False)

    def configure_optimizers(self):
        return SGD([zeros(1, requires_grad=True)], lr=0.1)


def test_all_misfits_of_trainer_and_module_at_once():
    match = [
        "`callbacks` must hold one",
        "must leave gradients",
        "`Frozen` must have",
    ]
    refuse(Frozen(), sides(), GradientSurgery(alpha=1.0), FineTune(), match=match, strategy=Engine)


class Halve(EditStrategy):
    def edit(self, module, forget, retain):
        for parameter in module.parameters():
            parameter.mul_(0.5)


@pytest.mark.parametrize("arguments", [{"min_epochs": 1}, {"min_steps": 2}])
def test_an_edit_takes_no_steps(arguments):
    message = "`min_epochs` and `min_steps` must not be set with Halve, which takes no step, found "
    refuse(Net(), sides(), Halve(), match=message, **arguments)


def test_a_checkpoint_of_ordinary_training(tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "trained.ckpt"
    fit(Net(), sides()["retain"]).save_checkpoint(path)
    module = Net(seed=1)
    trainer = L.Trainer(**QUIET, callbacks=[GradientSurgery(alpha=1.0)])
    with pytest.raises(
        ConfigurationError, match=r"`ckpt_path` must be a checkpoint of an interrupted run with Grad"
    ):
        trainer.fit(module, sides(), ckpt_path=path)
    assert trainer.global_step == 0
    assert not PATCHED & (set(vars(module)) | set(vars(trainer.strategy)))


def test_a_refusal_leaves_the_strategy_and_the_datamodule_fit_for_use():
    strategy = GradientSurgery(alpha=1.0)
    data = UnlearningDataModule(samples(12, 1), forget=[0, 1, 2], batch_size=4)
    state = streams()
    refuse(Frozen(), data, strategy, match=["requires_grad"])
    assert streams() == state
    module = Net()
    before = weights(module)
    assert fit(module, data, strategy).global_step == 6
    assert not same(weights(module), before)
