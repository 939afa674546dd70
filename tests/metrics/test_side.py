import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassAccuracy

from lightning_unlearn.metrics import SideAccuracy, SideLoss
from lightning_unlearn.metrics.functional import side_accuracy, side_loss
from tests.metrics._cases import classified


def test_the_accuracy_is_that_of_torchmetrics():
    logits, labels = classified(np.random.default_rng(0), 500)
    theirs = MulticlassAccuracy(5, average="micro")(logits, labels)
    assert side_accuracy(logits, labels) == theirs


def test_the_loss_is_that_of_torch():
    logits, labels = classified(np.random.default_rng(0), 500)
    assert side_loss(logits, labels) == torch.nn.functional.cross_entropy(logits, labels).float()


@pytest.mark.parametrize("classes", [1, 2, 10])
def test_equal_logits_are_a_guess(classes):
    logits, labels = torch.zeros(classes, classes), torch.arange(classes)
    assert side_loss(logits, labels).item() == pytest.approx(np.log(classes))
    assert side_accuracy(logits, labels).item() == pytest.approx(1 / classes)


def test_probabilities_of_zero_and_one():
    logits, labels = torch.tensor([[1e4, 0.0], [1e4, 0.0]]), torch.tensor([0, 1])
    assert side_loss(logits, labels) == 5e3
    assert side_loss(logits[:1], labels[:1]) == 0
    assert side_accuracy(logits[1:], labels[1:]) == 0


def test_batches_of_any_size_weigh_each_sample_the_same():
    logits, labels = classified(np.random.default_rng(0), 33)
    metric = SideLoss()
    for part in torch.arange(33).split([30, 1, 2]):
        metric.update(logits[part], labels[part])
    assert metric.compute() == side_loss(logits, labels)


def test_a_long_stream_loses_nothing():
    """float32 sums stand still at 2²⁴ samples of one."""
    metric = SideLoss()
    metric.total += 2.0**24
    metric.count += 2**24
    metric.update(torch.tensor([[0.0, 2.0**24]]), torch.tensor([0]))
    assert metric.total == 2.0**25
    metric.update(torch.zeros(1, 1), torch.tensor([0]))
    metric.total += 1
    assert metric.total == 2.0**25 + 1


@pytest.mark.parametrize("function", [side_accuracy, side_loss])
def test_what_does_not_fit(function):
    with pytest.raises(ValueError, match="`labels` must hold at least 1 samples, found 0"):
        function(torch.zeros(0, 3), torch.zeros(0, dtype=int))
    with pytest.raises(ValueError, match=r"`labels` must be integers of shape \(2,\)"):
        function(torch.zeros(2, 3), torch.zeros(3, dtype=int))
    with pytest.raises(ValueError, match="`labels` must be between 0 and 2, found 0 to 3"):
        function(torch.zeros(2, 3), torch.tensor([0, 3]))


@pytest.mark.parametrize("kind", [SideAccuracy, SideLoss])
def test_empty_batches_are_no_samples(kind):
    metric = kind()
    metric.update(torch.zeros(0, 3), torch.zeros(0, dtype=int))
    with pytest.raises(ValueError, match=f"`{kind.__name__}` must have seen samples"):
        metric.compute()
