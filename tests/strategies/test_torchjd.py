"""Aggregators of TorchJD as strategies: the same direction as on the matrix of both gradients, and no trace."""

import sys

import pytest
import torch
from torchjd import aggregation
from torchjd.aggregation import Aggregator

from lightning_unlearn import ConfigurationError, TorchJDStrategy
from lightning_unlearn.strategies import _torchjd
from tests._gradients import partial, random_gradient
from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies._modules import Net
from tests.test_gradient_oracles import flat

BY_GRAMIAN = ["AlignedMTL", "DualProj", "IMTLG", "MGDA", "PCGrad", "UPGrad", "CAGrad", "FairGrad"]
BY_ENTRY = ["ConFIG", "Mean", "Sum", "TrimmedMean", "Constant"]
ARGUMENTS = {
    "CAGrad": (0.5,),
    "FairGrad": (1.0,),
    "Constant": (torch.tensor([0.25, 0.75]).double(),),
    "TrimmedMean": (0,),
}


def made(name):
    try:
        return getattr(aggregation, name)(*ARGUMENTS.get(name, ()))
    except ImportError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", [*BY_GRAMIAN, *BY_ENTRY])
@pytest.mark.parametrize("seed", range(3))
def test_the_direction_is_that_of_the_matrix(name, seed):
    u, g = random_gradient(seed), random_gradient(seed + 10)
    theirs = made(name)(torch.stack([flat(u), flat(g)]))
    ours = TorchJDStrategy(made(name)).combine(u, g)
    torch.testing.assert_close(flat(ours), theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", BY_GRAMIAN)
def test_what_needs_the_gramian_alone_is_not_given_the_matrix(name, monkeypatch):
    monkeypatch.setattr(_torchjd, "as_rows", None)
    u, g = random_gradient(0), random_gradient(1)
    memory = [t.data_ptr() for t in u.tensors]
    ours = TorchJDStrategy(made(name)).combine(u, g)
    assert [t.data_ptr() for t in ours.tensors] == memory


@pytest.mark.parametrize("name", ["AlignedMTL", "ConFIG"])
def test_absent_entries_stay_absent_where_both_are(name):
    u, g = partial(0, "scale", "layer.bias"), partial(1, "scale")
    rows = torch.zeros(2, 9, dtype=torch.float64)
    rows[0, :6] = u["layer.weight"].flatten()
    rows[1] = torch.cat([g["layer.weight"].flatten(), g["layer.bias"]])
    ours = TorchJDStrategy(made(name)).combine(u, g)
    assert ours["scale"] is None
    found = torch.cat([ours["layer.weight"].flatten(), ours["layer.bias"]])
    torch.testing.assert_close(found, made(name)(rows), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [*BY_GRAMIAN, *BY_ENTRY])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_comes_through_and_no_solver_sees_it(name, value):
    u, g = random_gradient(0) * value, random_gradient(1)
    assert not flat(TorchJDStrategy(made(name)).combine(u, g)).isfinite().any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_entries_are_looked_at_in_at_least_float32(dtype):
    u, g = random_gradient(0, dtype=dtype), random_gradient(1, dtype=dtype)
    seen = []

    class Seeing(Aggregator):
        def forward(self, matrix):
            seen.append(matrix.dtype)
            return matrix.sum(0)

    ours = TorchJDStrategy(Seeing()).combine(u, g)
    assert seen == [torch.float32]
    assert {t.dtype for t in ours.tensors} == {dtype}


class Drawing(Aggregator):
    """Draws from the global streams, and returns the retain gradient."""

    drawn: list[float]

    def forward(self, matrix):
        self.drawn = [*getattr(self, "drawn", []), float(torch.rand(()))]
        return matrix[1]


def test_random_numbers_of_an_aggregator_leave_no_trace():
    laws.leaves_no_trace(lambda: TorchJDStrategy(Drawing()))


def test_random_numbers_are_keyed_by_seed_and_step():
    drawn = []
    for seed, stream in ((0, 1), (0, 2), (1, 1)):
        aggregator = Drawing()
        fits.seed_all(stream)
        fits.fit(Net(), fits.sides(), TorchJDStrategy(aggregator, seed=seed), max_epochs=1)
        drawn.append(aggregator.drawn)
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == len(drawn[0])


@pytest.mark.parametrize("given", [None, "UPGrad", aggregation.Mean, torch.nn.Identity(), aggregation.MGDAWeighting()])  # fmt: skip
def test_only_an_aggregator_is_taken(given):
    with pytest.raises(ConfigurationError, match=r"`aggregator` must be an instance of .*Pass an object"):
        TorchJDStrategy(given)


@pytest.mark.parametrize("name", ["GradVac", "ExcessMTL"])
def test_an_aggregator_that_keeps_state_is_refused(name):
    with pytest.raises(ConfigurationError, match=rf"found {name}\(.*keeps state.*Take one without"):
        TorchJDStrategy(made(name))


def test_without_torchjd_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchjd", None)
    with pytest.raises(ConfigurationError, match=r"Install `lightning-unlearn\[torchjd\]`"):
        TorchJDStrategy(torch.nn.Identity())
