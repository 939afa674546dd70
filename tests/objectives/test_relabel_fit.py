"""`Relabel` inside a fit: the labels of a row do not depend on how its window was cut."""

import pytest
import torch
from torch.utils.data import DataLoader

from lightning_unlearn import GradientDifference, Relabel
from tests.strategies._fits import CLASSES, fit, samples
from tests.strategies._modules import Net

FORGET = samples(24, 2)


class Recorder(Net):
    """Keeps the labels that come with each forget input."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.row_of = {float(x[0]): i for i, x in enumerate(FORGET.tensors[0])}

    def training_step(self, batch, batch_idx):
        rows = [self.row_of.get(float(x[0])) for x in batch[0]]
        if None not in rows:
            self.seen += list(zip(rows, batch[1].tolist(), strict=True))
        return super().training_step(batch, batch_idx)


def labels_seen(batch_size, accumulate=1, count=24, seed=0, epochs=2):
    module = Recorder()
    forget = torch.utils.data.Subset(FORGET, range(count))
    data = {
        "retain": DataLoader(samples(count, 1), batch_size),
        "forget": DataLoader(forget, batch_size, generator=torch.Generator()),
    }
    strategy = GradientDifference(alpha=0.1, objective=Relabel(CLASSES, seed=seed))
    fit(module, data, strategy, accumulate_grad_batches=accumulate, max_epochs=epochs)
    assert len(module.seen) == count * epochs
    return module.seen


@pytest.mark.parametrize(("batch_size", "accumulate"), [(4, 2), (2, 4)])
def test_accumulation_changes_nothing(batch_size, accumulate):
    whole = labels_seen(8)
    assert labels_seen(batch_size, accumulate) == whole
    assert all(label != FORGET.tensors[1][row] for row, label in whole)


def test_labels_are_drawn_anew_at_each_step_and_for_each_seed():
    first, second = torch.tensor([label for _, label in labels_seen(8)]).chunk(2)
    assert not torch.equal(first, second)
    assert labels_seen(8, seed=1) != labels_seen(8)
    assert labels_seen(8, seed=1) == labels_seen(8, seed=1)


@pytest.mark.parametrize(("count", "batch_size"), [(7, 4), (23, 12), (10, 8)])
def test_a_short_last_micro_batch_goes_on_where_the_one_before_it_ended(count, batch_size):
    """`drop_last=False` is PyTorch's default: the last batch of a window is often the shorter one."""
    assert labels_seen(batch_size, 2, count) == labels_seen(count, 1, count)
