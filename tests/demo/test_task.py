"""What the demonstration forgets: disjoint, complete, and settings that the strategies know."""

import inspect

import pytest
import torch

import lightning_unlearn
from lightning_unlearn.demo import Digits, _task, make_task
from lightning_unlearn.errors import ConfigurationError

TRAIN, TEST = Digits(train=True), Digits(train=False)


def sorted_pair(task):
    return torch.cat([task.forget, task.retain]).sort().values


@pytest.mark.parametrize("digit", range(10))
def test_a_class_leaves_training_and_test_data_as_a_whole(digit):
    task = make_task(forget_class=digit)
    assert torch.equal(sorted_pair(task), torch.arange(len(TRAIN)))
    assert (TRAIN.targets[task.forget] == digit).all()
    assert not (TRAIN.targets[task.retain] == digit).any()
    assert task.forgotten_class == digit
    assert str(digit) in task.name
    assert sorted([*task.test.indices, *task.unseen.indices]) == list(range(len(TEST)))
    assert {int(label) for _, label in task.unseen} == {digit}
    assert {int(label) for _, label in task.test} == set(range(10)) - {digit}


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.5])
def test_random_samples_leave_training_data_only(fraction):
    task = make_task(forget_fraction=fraction, seed=1)
    assert torch.equal(sorted_pair(task), torch.arange(len(TRAIN)))
    assert len(task.forget) == pytest.approx(fraction * len(TRAIN), abs=1)
    assert str(len(task.forget)) in task.name
    assert task.forgotten_class is None
    assert task.test.indices == task.unseen.indices == list(range(len(TEST)))
    assert len(set(TRAIN.targets[task.forget].tolist())) == 10


def test_the_random_choice_is_a_function_of_the_seed():
    first, again, other = (make_task(forget_fraction=0.1, seed=seed).forget for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("options", [{"forget_class": 3}, {"forget_fraction": 0.1}])
def test_the_data_module_has_the_sides_of_the_task(options):
    task = make_task(**options)
    data = task.datamodule(seed=0)
    assert torch.equal(data.forget_indices.sort().values, task.forget.sort().values)
    batch = next(iter(data.train_dataloader()))[0]
    sizes = tuple(len(batch[side][1]) for side in ("retain", "forget"))
    assert sizes == task.recipe.unlearning_batch_sizes
    assert data.test is task.test


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"forget_class": 11}, "`--forget-class` must be a digit, 0 to 9, found 11"),
        ({"forget_class": -1}, "`--forget-class` must be a digit, 0 to 9, found -1"),
        ({"data": "mnist"}, "`--data-dir` must name the folder with the idx files of MNIST"),
        ({"data": "fashion_mnist"}, "`--data-dir` must name the folder with the idx files of FashionMNIST"),
        ({"forget_fraction": 1.0}, "`forget_fraction` must be a number between 0 and 1"),
        ({"forget_fraction": 0.0}, "`forget_fraction` must be a number between 0 and 1"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        make_task(**options)


@pytest.mark.parametrize("data", ["mnist", "fashion_mnist"])
def test_other_data_are_read_from_the_folder_and_have_recipes_of_their_own(tmp_path, monkeypatch, data):
    asked = []
    monkeypatch.setitem(
        _task._FROM_FILES, data, lambda root, train: asked.append((root, train)) or Digits(train)
    )
    for options, by_class in (({}, True), ({"forget_fraction": 0.1}, False)):
        assert make_task(data, tmp_path, **options).recipe is _task._RECIPES[data, by_class]
        assert make_task("digits", **options).recipe is _task._RECIPES["digits", by_class]
    assert asked == [(tmp_path, True), (tmp_path, False)] * 2


@pytest.mark.parametrize("key", _task._RECIPES)
def test_the_settings_of_a_recipe_are_those_of_the_default_strategy(key):
    recipe = _task._RECIPES[key]
    assert recipe.strategy.keys() <= inspect.signature(lightning_unlearn.GradientSurgery).parameters.keys()
    module, _, name = recipe.strategy["objective"]["class_path"].rpartition(".")
    assert module == "lightning_unlearn"
    assert name in lightning_unlearn.__all__
    assert recipe.unlearning_steps >= recipe.every_n_steps
