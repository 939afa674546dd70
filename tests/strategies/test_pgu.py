"""What only PGU promises: retained outputs that do not move, without retain data, request after request."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import ConcatDataset, TensorDataset

from lightning_unlearn import PGU, Ascent, ForgettingMonitor, InputCovariance
from tests.strategies import _fits as fits
from tests.strategies._modules import BatchNormed
from tests.strategies._pgu_stacks import (
    CLASSES,
    STACKS,
    Stack,
    adamw,
    inputs_for,
    momentum,
    moves,
    ordered,
    recorded,
    sets,
    unlearned,
)


# ---- the promise -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", STACKS)
def test_retained_outputs_stay_and_forgotten_ones_move(name, tmp_path):
    kept, gone = unlearned(name, tmp_path / "a.ckpt")
    assert kept <= 1e-6  # the update is exact: measured about 1e-14
    assert gone > 1e-2


@pytest.mark.parametrize("name", ["multilayer", "grouped"])
@pytest.mark.parametrize(
    ("project", "optimizer", "holds"),
    [
        ("update", momentum, True),
        ("gradient", momentum, True),
        ("gradient", adamw, False),
    ],
)
def test_a_projected_gradient_is_enough_with_plain_momentum_alone(name, project, optimizer, holds, tmp_path):
    kept, gone = unlearned(name, tmp_path / "a.ckpt", optimizer, project=project)
    assert gone > 1e-2
    assert (kept <= 1e-6) == holds, kept


def test_control_patches_of_other_places_do_not_protect(tmp_path, monkeypatch):
    from lightning_unlearn.subspaces import _products

    for_real = _products.input_vectors

    def mistaken(layer, inputs, *options):
        return for_real(layer, inputs.flip(-1), *options)

    monkeypatch.setattr(_products, "input_vectors", mistaken)
    kept, _ = unlearned("strided", tmp_path / "a.ckpt")
    assert kept > 1e-3


def test_what_has_no_projector_does_not_move(tmp_path):
    module = BatchNormed().double()
    kept, gone = fits.samples(4, 1), fits.samples(6, 2)
    recorded(tmp_path / "a.ckpt", module, kept, gone)
    before = {name: t.clone() for name, t in module.state_dict().items()}
    fits.fit(module, {"forget": ordered(gone)}, PGU(str(tmp_path / "a.ckpt"), threshold=0.6))
    moved = {name for name, t in module.state_dict().items() if not torch.equal(t, before[name])}
    assert moved == {"net.0.weight", "net.3.weight"}  # no bias, no normalisation, no running statistics


def test_a_higher_threshold_holds_retained_outputs_better(tmp_path):
    ends = []
    for threshold in (0.3, 0.9, 1.0):
        kept, gone = sets("multilayer")
        path = tmp_path / f"{threshold}.ckpt"
        module = recorded(path, Stack(STACKS["multilayer"]), kept, gone)
        before = copy.deepcopy(module.net)
        fits.fit(module, {"forget": ordered(gone)}, PGU(str(path), threshold), max_epochs=3)
        ends.append(moves(module, before, kept))
    assert ends[0] > ends[1] > ends[2]


# ---- where the retained covariance comes from --------------------------------------------------------------------
def blocks_of(strategy):
    return strategy.state["covariances"]["blocks"]


def test_the_difference_of_two_covariances_is_that_of_the_retain_set(tmp_path):
    kept, gone = sets("grouped")
    module = recorded(tmp_path / "a.ckpt", Stack(STACKS["grouped"]), kept, gone)
    start = copy.deepcopy(module)
    by_difference, from_retain = PGU(str(tmp_path / "a.ckpt"), 0.8), PGU(threshold=0.8)
    fits.fit(module, {"forget": ordered(gone)}, by_difference, max_epochs=1)
    other = Stack(STACKS["grouped"])
    other.load_state_dict(start.state_dict())
    fits.fit(other, {"forget": ordered(gone), "retain": ordered(kept)}, from_retain, max_epochs=1)
    for name, block in blocks_of(from_retain).items():
        torch.testing.assert_close(blocks_of(by_difference)[name], block, rtol=0, atol=1e-11)
    assert fits.distance(fits.weights(module), fits.weights(other)) <= 1e-10
    assert fits.distance(fits.weights(module), fits.weights(start)) > 1e-3


def test_a_part_of_the_retain_set_stands_for_all_of_it():
    kept, gone = sets("multilayer")
    module, strategy = Stack(STACKS["multilayer"]), PGU(threshold=0.8, samples=4)
    fits.fit(module, {"forget": ordered(gone), "retain": ordered(kept)}, strategy, max_steps=1, max_epochs=-1)
    drawn = torch.randperm(6, generator=torch.Generator().manual_seed(0))[:4]
    x = kept.tensors[0][drawn]
    torch.testing.assert_close(blocks_of(strategy)["net.0.weight"][0], 6 / 4 * x.T @ x, rtol=0, atol=1e-11)


def test_positions_of_the_recording_hold_for_the_forget_set_too(tmp_path):
    kept, gone = sets("strided")
    module = recorded(tmp_path / "a.ckpt", Stack(STACKS["strided"]), kept, gone, positions=3)
    strategy = PGU(str(tmp_path / "a.ckpt"), 0.8)
    fits.fit(module, {"forget": ordered(gone)}, strategy, max_steps=1, max_epochs=-1)
    least = min(float(torch.linalg.eigvalsh(block).min()) for block in blocks_of(strategy).values())
    assert least >= -1e-10


# ---- request after request ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("filed", [False, True])
def test_a_second_request_goes_on_from_the_checkpoint_of_the_first(filed, tmp_path):
    name = "multilayer"
    kept, first, second = (inputs_for(name, n, seed, seed == 1) for n, seed in ((6, 1), (3, 2), (3, 3)))
    module = recorded(tmp_path / "0.ckpt", Stack(STACKS[name]), kept, first, second)
    before = copy.deepcopy(module.net)
    folder = str(tmp_path / "large") if filed else None
    for request, gone in enumerate((first, second)):
        strategy = PGU(str(tmp_path / f"{request}.ckpt"), threshold=1.0, state_dir=folder)
        trainer = fits.fit(module, {"forget": ordered(gone)}, strategy, max_epochs=3)
        trainer.save_checkpoint(tmp_path / f"{request + 1}.ckpt")
        others = {0: (kept, second), 1: (kept,)}[request]
        for data in others:
            assert moves(module, before, data) <= 1e-6
        assert moves(module, before, gone) > 1e-3
        before = copy.deepcopy(module.net)
    with torch.no_grad():
        x = kept.tensors[0]
        hidden = module.net[:2](x)
    # the first layer's inputs do not depend on weights: two differences are exact; behind, forgotten inputs have moved
    torch.testing.assert_close(blocks_of(strategy)["net.0.weight"][0], x.T @ x, rtol=0, atol=1e-11)
    assert hidden.shape[1] == blocks_of(strategy)["net.2.weight"].shape[-1]


# ---- beside a monitor --------------------------------------------------------------------------------------------
def test_the_monitor_stops_a_retain_free_run_at_the_accuracy_of_unseen_data(tmp_path):
    stream = torch.Generator().manual_seed(0)
    images = torch.randn(80, 12, generator=stream, dtype=torch.float64)
    labels = (images[:, :CLASSES]).argmax(1)
    noise = torch.rand(80, generator=stream) < 0.3
    labels[noise] = torch.randint(CLASSES, (int(noise.sum()),), generator=stream)
    parts = [TensorDataset(images[a:b], labels[a:b]) for a, b in ((0, 30), (30, 40), (40, 80))]
    kept, gone, unseen = parts
    module = Stack(lambda: nn.Sequential(nn.Linear(12, 64), nn.Tanh(), nn.Linear(64, CLASSES)))
    trainer = fits.fit(module, ordered(ConcatDataset([kept, gone])), InputCovariance(), max_epochs=60)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    monitor = ForgettingMonitor(every_n_steps=1, target="holdout", test=ordered(unseen))
    strategy = PGU(str(tmp_path / "a.ckpt"), threshold=0.9)
    fits.fit(module, {"forget": ordered(gone)}, strategy, monitor, max_epochs=40)
    first, last = monitor.history[0], monitor.history[-1]
    assert first["unlearn/forget_accuracy"] > first["unlearn/test_accuracy"]
    assert monitor.stopped == "target"
    assert last["unlearn/forget_accuracy"] <= last["unlearn/test_accuracy"]
    assert "unlearn/retain_accuracy" not in last


def test_removed_fraction_is_the_share_that_the_projection_takes(tmp_path):
    kept, gone = sets("linear")
    module = recorded(tmp_path / "a.ckpt", Stack(STACKS["linear"]), kept, gone)
    x, y = gone.tensors
    gradient = torch.autograd.grad(-cross_entropy(module(x), y), module.net[0].weight)[0]
    seen = torch.linalg.svd(kept.tensors[0])[2][: torch.linalg.matrix_rank(kept.tensors[0])]
    expected = float((gradient @ seen.T).norm() ** 2 / gradient.norm() ** 2)
    logger = fits.Recording()
    strategy = PGU(str(tmp_path / "a.ckpt"), 1.0, objective=Ascent())
    fits.fit(module, {"forget": ordered(gone, 5)}, strategy, logger=logger, max_epochs=1)
    found = [m["unlearn/removed_fraction"] for _, m in logger.records if "unlearn/removed_fraction" in m]
    assert found == [pytest.approx(expected, abs=1e-6)]
    assert 0.1 < expected < 0.9
