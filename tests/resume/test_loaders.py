"""Law 6 for the order of both loaders: the package's own, torchdata's, and a user's plain ones."""

import pytest
import torch
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from lightning_unlearn import GradientSurgery
from lightning_unlearn.data._sampler import CycleSampler
from tests.resume import _law as law

pytestmark = [
    pytest.mark.filterwarnings("ignore:You have overridden `on_after_batch_transfer`"),
    pytest.mark.filterwarnings("ignore:'set_vital' is deprecated"),  # torchdata 0.11 under torch 2.15
]
workers = pytest.mark.parametrize("num_workers", [0, pytest.param(2, marks=pytest.mark.slow)])
MOMENTS = [("batch", 3), ("batch", 5), ("batch", 7), ("epoch", 5)]


def own_sampler(side, num_workers, data):
    sampler = CycleSampler(data, batch_size=4, steps=5, side=side)
    return StatefulDataLoader(data, 4, sampler=sampler, num_workers=num_workers, generator=torch.Generator())


@workers
def test_the_loaders_of_the_package(num_workers, tmp_path):
    make = law.plain if num_workers else law.Drawing
    data = {"data": lambda: law.own_data(make, num_workers=num_workers)}
    law.resumes_exactly(tmp_path, GradientSurgery, *MOMENTS, **data)


@workers
def test_stateful_loaders_with_the_sampler_of_the_package(num_workers, tmp_path):
    make = law.plain if num_workers else law.Drawing

    def data():
        sides = {"retain": make(20, 1), "forget": make(12, 2)}
        return {side: own_sampler(side, num_workers, samples) for side, samples in sides.items()}

    law.resumes_exactly(tmp_path, GradientSurgery, *MOMENTS, data=data)


@workers
def test_a_stateful_retain_loader_that_shuffles_by_the_global_stream(num_workers, tmp_path):
    def data():
        retain = StatefulDataLoader(law.plain(20, 1), 4, shuffle=True, num_workers=num_workers)
        return {"retain": retain, "forget": own_sampler("forget", num_workers, law.plain(12, 2))}

    law.resumes_exactly(tmp_path, GradientSurgery, *MOMENTS, data=data)


@pytest.mark.parametrize(
    ("num_workers", "max_steps"), [(0, -1), (0, 10), pytest.param(2, 10, marks=pytest.mark.slow)]
)
def test_plain_loaders_between_two_epochs(num_workers, max_steps, tmp_path):
    """One shuffles by the global stream, the other by a generator of its own; samples and hooks draw as well."""
    make = law.plain if num_workers else law.Drawing

    class Hooked(law.Module):
        def on_train_epoch_start(self):
            torch.rand(3)

    def data():
        stream = torch.Generator().manual_seed(5)
        retain = DataLoader(make(20, 1), 4, shuffle=True, num_workers=num_workers)
        forget = DataLoader(make(12, 2), 4, shuffle=True, num_workers=num_workers, generator=stream)
        return {"retain": retain, "forget": forget}

    points = [("epoch", 5), ("batch", 5)]
    law.resumes_exactly(tmp_path, GradientSurgery, *points, data=data, module=Hooked, max_steps=max_steps)


@pytest.mark.slow
def test_samples_that_draw_in_workers_between_two_epochs(tmp_path):
    data = {"data": lambda: law.own_data(num_workers=2)}
    law.resumes_exactly(tmp_path, GradientSurgery, ("epoch", 5), ("batch", 5), **data)


def test_control_another_order_shows(tmp_path, monkeypatch):
    monkeypatch.setattr("lightning_unlearn.data._loader.StreamLoader.load_state_dict", lambda *_: None)
    with pytest.raises(AssertionError, match="batches differ"):
        law.resumes_exactly(tmp_path, GradientSurgery, ("batch", 3))


def test_an_order_under_way_knows_its_epoch_and_position():
    sampler = CycleSampler(law.plain(7, 1), batch_size=2, steps=5)
    sampler.set_epoch(3)
    order = iter(sampler)
    [next(order) for _ in range(4)]
    state, rest = order.state_dict(), list(order)
    other = iter(CycleSampler(law.plain(7, 1), batch_size=2, steps=5))
    other.load_state_dict(state)
    assert (state, list(other)) == ({"epoch": 3, "position": 4}, rest)
    assert len(rest) == 6
