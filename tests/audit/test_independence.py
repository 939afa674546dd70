"""A classifier that was a training signal is found wherever it hides, and no other is."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

from lightning_unlearn import Bounded, ConfigurationError, GradientSurgery
from lightning_unlearn.audit._independence import check_independent
from lightning_unlearn.demo import DigitClassifier


def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))


class Objective:
    def __init__(self, guide):
        self.guide = guide

    def loss(self, images):
        return self.guide(images).sum()


class Wrapper(nn.Module):
    """Holds a network where no `modules()` looks."""

    def __init__(self, guide):
        super().__init__()
        self.hidden = [guide]
        self.own = nn.Linear(2, 2)


def closing_over(guide):
    return lambda images: guide(images).sum()


def renamed(guide):
    return nn.ModuleDict({"first": guide[1], "second": guide[3], "more": nn.Linear(5, 5)})


HIDING = {
    "itself": lambda guide: guide,
    "an attribute": Objective,
    "a method": lambda guide: Objective(guide).loss,
    "a mapping": lambda guide: {"a": [1, (guide,)]},
    "a function": closing_over,
    "a partial": lambda guide: partial(torch.add, other=guide),
    "a part of a module": lambda guide: nn.Sequential(nn.Linear(2, 2), guide),
    "a list of a module": Wrapper,
    "other names": renamed,
    "a strategy": lambda guide: _with_guide(GradientSurgery(alpha=1.0, objective=Bounded()), guide),
}


def _with_guide(strategy, guide):
    strategy.guide = guide
    return strategy


@pytest.mark.parametrize("hide", HIDING.values(), ids=HIDING)
@pytest.mark.parametrize("copied", [False, True])
def test_it_is_found_itself_and_as_a_copy(hide, copied):
    classifier = network()
    used = hide(copy.deepcopy(classifier) if copied else classifier)
    with pytest.raises(
        ConfigurationError, match="`classifier` must not be what the generator was trained with, found"
    ):
        check_independent(classifier, network(), used)


@pytest.mark.parametrize("hide", HIDING.values(), ids=HIDING)
def test_control_another_network_of_the_kind_is_not_taken_for_it(hide):
    check_independent(network(), hide(network()), None, 3, "net", torch.zeros(2))


def test_one_changed_weight_makes_it_another():
    classifier = network()
    used = copy.deepcopy(classifier)
    check = partial(check_independent, classifier, used)
    with pytest.raises(ConfigurationError, match="found its weights in Sequential"):
        check()
    with torch.no_grad():
        used[3].bias[0] += 1e-6
    check()


def test_another_type_does_not_hide_it():
    classifier = network()
    with pytest.raises(ConfigurationError):
        check_independent(classifier, copy.deepcopy(classifier).double())


def test_what_only_shares_some_layers_passes():
    classifier = network()
    check_independent(classifier, nn.Sequential(classifier[1], nn.Linear(3, 9)))


def test_a_classifier_without_weights_is_known_by_identity_only():
    plain = nn.Flatten()
    check_independent(plain, nn.Flatten(), network())
    with pytest.raises(ConfigurationError, match="found it in Sequential"):
        check_independent(plain, nn.Sequential(plain))


def test_circles_and_modules_of_lightning_are_gone_through():
    module = DigitClassifier()
    module.extra = [module]
    check_independent(network(), module, GradientSurgery(alpha=1.0))
    with pytest.raises(ConfigurationError):
        check_independent(DigitClassifier.to(module, "cpu"), {"module": module})
