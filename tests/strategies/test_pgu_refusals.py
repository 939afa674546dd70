"""What PGU refuses before the first step, and what it says then."""

import pytest
import torch
from torch import nn

from lightning_unlearn import PGU, ConfigurationError
from tests.strategies import _fits as fits
from tests.strategies._modules import Net
from tests.strategies._pgu_stacks import (
    CLASSES,
    STACKS,
    Stack,
    ordered,
    recorded,
    sets,
)

# ---- refusals ----------------------------------------------------------------------------------------------------
ARGUMENTS = {
    "threshold-0": ({"threshold": 0.0}, "`threshold` must be above 0"),
    "threshold-2": ({"threshold": 2.0}, "`threshold` must be a number between 0 and 1"),
    "threshold-nan": ({"threshold": float("nan")}, "`threshold` must be a number between 0 and 1"),
    "spectrum": ({"spectrum": "squares"}, '"singular_values" or "energy"'),
    "samples-0": ({"samples": 0}, "`samples` must be a positive integer, found 0"),
    "samples-of-a-file": (
        {"samples": 9, "covariance": "a.ckpt"},
        "`samples` must be None where `covariance` names a checkpoint, found 9",
    ),
    "project": ({"project": "both"}, '"update" or "gradient"'),
    "offset": ({"offset": 0.0}, "`offset` must be a finite, positive number"),
    "entropy": ({"entropy_weight": -1.0}, "`entropy_weight` must be a finite, non-negative number"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_out_of_range_are_refused(name):
    arguments, message = ARGUMENTS[name]
    with pytest.raises(ConfigurationError, match=message):
        PGU(**arguments)


@pytest.fixture
def files(tmp_path):
    """Checkpoints of a net, of a wider one, and one without a recording; the trained net, and what it is to forget."""
    kept, gone = sets("multilayer")
    wider = lambda: nn.Sequential(nn.Linear(12, 21), nn.Tanh(), nn.Linear(21, CLASSES))  # noqa: E731
    deeper = lambda: nn.Sequential(nn.Linear(12, 20), nn.Tanh(), nn.Linear(20, 20), nn.Linear(20, 3))  # noqa: E731
    recorded(tmp_path / "wider.ckpt", Stack(wider), kept, gone)
    recorded(tmp_path / "deeper.ckpt", Stack(deeper), kept, gone)
    module = recorded(tmp_path / "own.ckpt", Stack(STACKS["multilayer"]), kept, gone)
    trainer = fits.fit(Stack(STACKS["multilayer"]), ordered(kept), max_epochs=1)
    trainer.save_checkpoint(tmp_path / "without.ckpt")
    (tmp_path / "broken.ckpt").write_text("not a checkpoint")
    return tmp_path, module, gone


def refused(module, gone, message, covariance=None, **arguments):
    start = fits.weights(module)
    strategy = PGU(None if covariance is None else str(covariance), **arguments)
    with pytest.raises(ConfigurationError, match=message):
        fits.fit(module, {"forget": ordered(gone)}, strategy)
    assert fits.same(start, fits.weights(module))


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("nowhere", "must be a checkpoint file, found none at .*nowhere.ckpt"),
        ("broken", "weights_only=True"),
        ("without", "found none in .*without.ckpt. Train with the callback `InputCovariance`"),
        ("wider", "found one of shape .* for `net.2.weight`"),
        ("deeper", "found one of (a layer|shape) .*`net.[23].weight`"),
    ],
)
def test_a_covariance_that_does_not_fit_is_refused(files, file, message):
    folder, module, gone = files
    refused(module, gone, message, folder / f"{file}.ckpt")


def test_a_covariance_of_other_weights_is_refused(files):
    folder, module, gone = files
    with torch.no_grad():
        module.net[2].bias[0] += 1e-12
    refused(module, gone, "of other weights than the module has now", folder / "own.ckpt")


def test_neither_a_covariance_nor_retain_data_is_refused(files):
    _, module, gone = files
    refused(module, gone, "found None. Train with the callback `InputCovariance`; or")


def test_a_module_without_layers_to_project_is_refused():
    class Normalised(Net):
        def build(self):
            return nn.Sequential(nn.BatchNorm1d(fits.FEATURES))

    loaders = fits.sides()
    with pytest.raises(ConfigurationError, match=r"must have an `nn.Linear`.*Use another strategy"):
        fits.fit(Normalised(), loaders, PGU())


def test_retained_inputs_that_leave_nothing_free_are_refused():
    with pytest.raises(ConfigurationError, match=r"`threshold` must leave directions free.*Lower it"):
        fits.fit(Net(), fits.sides(), PGU(threshold=1.0))


def test_another_way_through_the_module_is_refused(files):
    folder, _, gone = files

    class Two(Stack):
        def __init__(self):
            super().__init__(STACKS["multilayer"])
            self.other = nn.Linear(20, CLASSES).double()

        def both(self, batch):
            return self.net(batch[0]) + self.other(self.net[:2](batch[0]))

    module = recorded(folder / "two.ckpt", Two(), gone)
    strategy = PGU(str(folder / "two.ckpt"), 0.8, predict=lambda m, b: (m.both(b), b[1]))
    with pytest.raises(ConfigurationError, match=r"also uses `other.weight`. Give the same `predict`"):
        fits.fit(module, {"forget": ordered(gone)}, strategy)
