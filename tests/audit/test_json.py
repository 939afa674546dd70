"""What is written can be read again, and the schema says the same as the dataclasses."""

import copy
import json
import math
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import lightning_unlearn.audit
from lightning_unlearn import ConfigurationError
from lightning_unlearn.audit._json import from_json, to_json
from lightning_unlearn.audit._report import Curves, Estimate
from lightning_unlearn.audit._schema import schema
from tests.audit._samples import SAMPLES, classification, generator

PACKAGE = Path(lightning_unlearn.audit.__file__).parent
PUBLISHED = json.loads((PACKAGE / "schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(PUBLISHED)

by_sample = pytest.mark.parametrize("sample", SAMPLES)


@by_sample
def test_a_report_comes_back_as_it_was(sample):
    report = SAMPLES[sample]()
    text = to_json(report)
    back = from_json(text)
    assert to_json(back) == text
    assert replace(back, configuration={}) == replace(report, configuration={})
    assert dict(back.configuration) == report.configuration


@by_sample
def test_the_published_schema_accepts_reports(sample):
    VALIDATOR.validate(json.loads(to_json(SAMPLES[sample]())))


def test_the_published_schema_is_a_schema_and_that_of_the_dataclasses():
    jsonschema.Draft202012Validator.check_schema(PUBLISHED)
    assert schema() == PUBLISHED
    copied = Path(__file__).parents[2] / "docs" / "audit.schema.json"
    assert copied.read_bytes() == (PACKAGE / "schema.json").read_bytes()


def put(path, value):
    def change(report):
        *way, last = path
        for step in way:
            report = report[step]
        report[last] = value

    return change


def drop(*path):
    def change(report):
        *way, last = path
        for step in way:
            report = report[step]
        del report[last]

    return change


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (put(("verdict", "name"), "passed"), "report.verdict.name"),
        (put(("verdict", "level"), "low"), "report.verdict.level"),
        (put(("verdict", "level"), True), "report.verdict.level"),
        (put(("verdict", "reasons"), "none"), "report.verdict.reasons"),
        (put(("sides", 0, "samples"), 1.5), "report.sides[0].samples"),
        (put(("models", 1, "role"), "student"), "report.models[1].role"),
        (put(("metrics", 0, "bounds"), [0.0]), "report.metrics[0].bounds"),
        (put(("metrics", 0, "bounds"), [0.0, 1.0, 2.0]), "report.metrics[0].bounds"),
        (put(("metrics", 0, "values", "original", "value"), None), "report.metrics[0].values['original'].value"),
        (put(("metrics", 0, "references"), 3), "report.metrics[0].references"),
        (put(("tests", 0, "rejected"), 1), "report.tests[0].rejected"),
        (put(("tests", 0, "p_value"), "small"), "report.tests[0].p_value"),
        (put(("curves", "scatter", "forget", 0), [1.0]), "report.curves.scatter['forget'][0]"),
        (put(("request",), []), "report.request"),
        (put(("format",), 1), "report.format"),
        (put(("surprise",), 1), "report"),
        (drop("made"), "report"),
        (drop("curves", "classes"), "report.curves"),
    ],
)  # fmt: skip
def test_schema_and_reader_refuse_the_same(change, where):
    plain = json.loads(to_json(classification()))
    from_json(json.dumps(plain))  # the control
    change(plain)
    assert not VALIDATOR.is_valid(plain)
    with pytest.raises(ConfigurationError) as refused:
        from_json(json.dumps(plain))
    assert str(refused.value).startswith(f"`{where}` must ")


def test_another_format_is_refused_by_the_schema():
    plain = json.loads(to_json(classification()))
    assert not VALIDATOR.is_valid({**plain, "format": "lightning-unlearn audit 2"})


def test_what_is_not_finite_has_a_name():
    curves = replace(classification().curves, scatter={"forget": ((-math.inf, math.nan), (0.0, math.inf))})
    report = replace(classification(), curves=curves)
    plain = json.loads(to_json(report))
    assert plain["curves"]["scatter"]["forget"] == [["-inf", "nan"], [0.0, "inf"]]
    VALIDATOR.validate(plain)
    (low, nan), (zero, high) = from_json(to_json(report)).curves.scatter["forget"]
    assert (low, zero, high) == (-math.inf, 0.0, math.inf)
    assert math.isnan(nan)


def test_the_order_of_keys_and_the_kind_of_numbers_do_not_count():
    report = generator()
    other = copy.deepcopy(report)
    object.__setattr__(other, "configuration", dict(reversed(report.configuration.items())))
    object.__setattr__(other, "models", list(report.models))
    assert to_json(other) == to_json(report)
    whole = replace(
        report, curves=Curves(loss_edges=(0, np.float32(1), np.float64(2)), classes=np.arange(2).tolist())
    )
    exact = replace(report, curves=Curves(loss_edges=(0.0, 1.0, 2.0), classes=(0, 1)))
    assert to_json(whole) == to_json(exact)
    assert to_json(replace(report, curves=Curves(loss_edges=(0.0, 1.0, 2.5)))) != to_json(exact)


@pytest.mark.parametrize(
    ("changes", "where", "found"),
    [
        (
            {"configuration": {"module": object}},
            r"report\['module'\]|report.configuration\['module'\]",
            "type",
        ),
        ({"configuration": {1: 2}}, "report.configuration", "dict"),
        ({"models": ("original",)}, r"report.models\[0\]", "str"),
        ({"sides": {"forget"}}, "report.sides", "set"),
        ({"verdict": Estimate(1.0)}, "report.verdict", "Estimate"),
    ],
)
def test_what_json_cannot_say_is_refused_with_its_place(changes, where, found):
    with pytest.raises(ConfigurationError, match=rf"`{where}` must be .*found .*\({found}\)\. Put a plain"):
        to_json(replace(classification(), **changes))


@pytest.mark.parametrize("text", ["", "{", "verdict: forgotten"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(ConfigurationError, match=r"`report` must be JSON, found something else: .*\. Name a"):
        from_json(text)
