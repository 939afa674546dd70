"""What does not fit is refused in one line that names the remedy, before anything is trained."""

import copy
import json
import os
import re

import pytest
import torch

from lightning_unlearn import ConfigurationError
from lightning_unlearn.compare._request import Strategy
from lightning_unlearn.compare._spoken import spoken
from tests.compare._modules import CONFIG, other_predict, predict

PATH = "tests.compare._modules"
REQUEST = CONFIG["requests"][0]
DATA = CONFIG["data"]


def entries(*given):
    return {"requests": [REQUEST | {"entries": list(given)}]}


def settings(**given):
    return {"requests": [REQUEST | {"settings": REQUEST["settings"] | given}]}


def strategy(path, **arguments):
    return entries({"strategy": {"class_path": path, "init_args": arguments}})


REFUSED = [
    # strategies and their arguments
    (strategy("GradientDiference"), "`strategy` of the request 'the last class' must be the name or the import path of a class "
     "of UnlearningStrategy, found 'GradientDiference'. Did you mean `GradientDifference`?"),
    (strategy("lightning_unlearn.SFRom"), "found 'lightning_unlearn.SFRom'. Did you mean `SFRon`?"),
    (strategy("Bounded"), "must be the name or the import path of a class of UnlearningStrategy, found 'Bounded'. "),
    (strategy("UnlearningStrategy"), "must be the name or the import path of a class of UnlearningStrategy"),
    (strategy("nowhere.Other"), "found 'nowhere.Other'. There are CAGrad, FineTune,"),
    (strategy(3), "must be the name or the import path of a class of UnlearningStrategy, found 3."),
    (strategy("GradientDifference", alhpa=1), "found `alhpa`. Did you mean `alpha`?"),
    (strategy("FineTune", alpha=1), "The arguments of `strategy` of the request 'the last class' FineTune must be empty, found "
     "`alpha`. Leave it out."),
    (strategy("GradientDifference", alpha="much"), "GradientDifference must be such as the class takes, found that they are not:"),
    (strategy("GradientDifference", alpha=-1.0), "`alpha` must be a finite, non-negative number, found -1.0."),
    (strategy("GradientDifference", objective={"class_path": "Boundet"}), "must be a class, found 'Boundet'. Did you mean `Bounded`?"),
    (strategy("GradientDifference", objective={"class_path": "Bounded", "init_args": {"ofset": 1}}), "found `ofset`. Did you mean "
     "`offset`?"),
    (entries("GradientDifference(1)"), "A strategy must be a class, or a call of one with keyword arguments"),
    (entries({"strategy": None}), "must be a class with its arguments, found None."),
    (entries({"strategy": "FineTune", "setings": {}}), "found `setings`. Did you mean `settings`?"),
    (entries({"strategy": {"class": "FineTune"}}), "found `class`. Did you mean `class_path`?"),
    ({"strategies": ["SFRom"]}, "Did you mean `SFRon`?"),
    # names
    (entries({"strategy": "FineTune"}, {"strategy": "FineTune"}), "must have distinct names, found 'FineTune' more than once."),
    ({"requests": [REQUEST, REQUEST]}, "`requests` must have distinct names, found 'the last class' more than once."),
    ({"requests": [REQUEST | {"name": ""}]}, "Request 1 must have a `name`, found ''."),
    ({"requests": [REQUEST | {"entries": []}]}, "`entries` of the request 'the last class' must name at least one strategy"),
    ({"requests": []}, "`requests` must name at least one thing to forget, found none."),
    ({"requests": [REQUEST | {"entris": []}]}, "found `entris`. Did you mean `entries`?"),
    # what is forgotten
    ({"requests": [REQUEST | {"forget": {}}]}, "`forget` of the request 'the last class' must say what is forgotten, found {}."),
    ({"requests": [REQUEST | {"forget": {"forget_clas": 2}}]}, "found `forget_clas`. Did you mean `forget_class`?"),
    ({"requests": [REQUEST | {"forget": {"forget_class": 9}}]}, "`forget_class` must be among the labels"),
    ({"requests": [REQUEST | {"forget": {"forget_fraction": 2.0}}]}, "`forget_fraction` must be a number between 0 and 1"),
    # settings
    (settings(max_step=4), "found `max_step`. Did you mean `max_steps`?"),
    (settings(max_steps=0), "`max_steps` must be a positive integer, found 0."),
    (settings(batch_size=-1), "`batch_size` must be a positive integer, found -1."),
    (settings(model={"nois": 1}), "found `nois`. Did you mean `noise`?"),
    (settings(model={"lr": "fast"}), "Tiny must be such as the class takes, found that they are not:"),
    (settings(model=[1]), "`model` in the settings of the request 'the last class', GradientDifference must be values by name"),
    (settings(monitor={"every_n_step": 1}), "found `every_n_step`. Did you mean `every_n_steps`?"),
    (settings(monitor={"target": 2.0}), "`target` must be a number between 0 and 1"),
    ({"requests": [{k: v for k, v in REQUEST.items() if k != "settings"}]}, "must have `max_steps`, found none."),
    # seeds
    ({"original_seeds": [1, 2, 1]}, "`original_seeds` must be distinct, found 1 more than once."),
    ({"unlearning_seeds": [1, 1]}, "`unlearning_seeds` must be distinct, found 1 more than once."),
    ({"evaluation_seeds": [3, 3]}, "`evaluation_seeds` must be distinct, found 3 more than once."),
    ({"reference_seeds": [7, 8, 7]}, "`reference_seeds` must be distinct, found 7 more than once."),
    ({"original_seeds": [1, 5], "reference_seeds": [5, 6]}, "`reference_seeds` must be other seeds than `original_seeds`, found 5 in both."),
    ({"original_seeds": 0}, "`original_seeds` must be at least 1, found 0."),
    ({"evaluation_seeds": []}, "`evaluation_seeds` must be a count, or integers from 0 to"),
    ({"unlearning_seeds": [-1]}, "`unlearning_seeds` must be a count, or integers from 0 to 4294967295, found [-1]."),
    # data and the rest
    ({"data": None}, "`data` must be a data module, found none."),
    ({"model": None}, "`config` must be that of a comparison, found that it is not: the following arguments are required: model"),
    ({"data": {**DATA, "init_args": DATA["init_args"] | {"forget_class": 1}}}, "`data` must not say what is forgotten, found `forget_class`."),
    ({"data": {**DATA, "init_args": DATA["init_args"] | {"test": None}}}, "`data` must have test data, found none."),
    ({"trainer": {"devices": 2, "accelerator": "cpu"}}, "`trainer` must train on one device, found DDPStrategy on 2."),
    ({"processes": 0}, "`processes` must be a positive integer, found 0."),
    ({"threads": 0}, "`threads` must be a positive integer, found 0."),
    ({"attack_samples": 0}, "`attack_samples` must be a positive integer, found 0."),
    ({"predict": "nowhere.predict"}, "`predict` must be the import path of a function of (module, batch), found 'nowhere.predict'"),
    ({"predict": "lightning_unlearn.__version__"}, "`predict` must be the import path of a function"),
    ({"output": "file/below"}, "The output folder must be writable, found file/below"),
    ({"original": ["none.pt"], "original_seeds": None}, "`original` must be a file with weights, found none.pt"),
    ({"original": ["other.pt"], "original_seeds": None}, "`original` must hold the weights of Tiny, found"),
    ({"original": ["other.pt"], "original_seeds": 2}, "`original_seeds` must be left out where `original` names models"),
    # what an original has never seen
    ({"requests": [REQUEST | {"forget": {"forget": {"class_path": f"{PATH}.Samples"}}}]}, "The forget set of the request 'the last "
     "class' must be part of the training data where originals are trained, found a data set of its own"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_it_is_refused_in_one_line_before_anything_is_trained(run, done, tmp_path, changes, message):
    (tmp_path / "file").touch()
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "other.pt")
    with pytest.raises(ConfigurationError) as caught:
        run(**copy.deepcopy(changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert done == []
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_must_not_be_written_is_refused(run, done, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o500)
    with pytest.raises(ConfigurationError, match="The output folder must be writable"):
        run()
    assert done == []


def test_a_module_that_cannot_be_made_with_the_settings_of_an_unlearning_is_refused(run, done):
    with pytest.raises(ConfigurationError, match="must be a number"):
        run(model={"class_path": f"{PATH}.Picky"}, settings={"model": {"lr": -1.0}})
    assert done == []


def test_a_damaged_model_is_named(run, done, tmp_path):
    run()
    path = sorted(tmp_path.glob("out/models/*.ckpt"))[0]
    path.write_bytes(b"half of it")
    for cell in (tmp_path / "out" / "cells").glob("*.json"):
        content = json.loads(cell.read_text())
        if content["kind"] in ("nothing", "retraining"):
            cell.unlink()
    with pytest.raises(ConfigurationError, match=re.escape(str(path))):
        run()


def test_a_function_is_said_by_its_path():
    said = spoken(f"SFRon(predict={PATH}.predict)")
    assert said["init_args"] == {"predict": f"{PATH}.predict"}


@pytest.mark.parametrize("name", ["LUR", "SFRon", "PGU", "GradientDifference"])
def test_predict_is_for_whoever_has_not_been_given_another(name):
    strategy = Strategy(f"lightning_unlearn.{name}", {})
    made = strategy.made(0, predict)
    asking = [part for part in (made, made.objective) if hasattr(part, "predict")]
    assert all(part.predict is predict for part in asking)
    assert bool(asking) == (name != "GradientDifference")
    bounded = {"class_path": "lightning_unlearn.Bounded", "init_args": {"predict": f"{PATH}.other_predict"}}
    own = Strategy("lightning_unlearn.LUR", {"objective": bounded}).made(0, predict)
    assert own.objective.predict is other_predict


@pytest.mark.parametrize(
    "text", ["SFRon(", "SFRon(1)", "SFRon(**x)", "a + b", "'SFRon'", "SFRon(alpha=1+x)", ""]
)
def test_what_is_no_call_is_refused(text):
    with pytest.raises(ConfigurationError, match="A strategy must be a class, or a call of one"):
        spoken(text)
