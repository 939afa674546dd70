"""What a search shows."""

import csv
import io
import json
import re
from dataclasses import replace

import pytest
import yaml
from rich.console import Console

from lightning_unlearn import UnlearningError
from lightning_unlearn.compare._request import requests_of
from lightning_unlearn.rendering import of_plain, to_plain
from lightning_unlearn.tune._record import read_search, write_search
from lightning_unlearn.tune._search import Search
from lightning_unlearn.tune.report import write_reports
from lightning_unlearn.tune.report._csv import trials_csv
from lightning_unlearn.tune.report._entry import entry_yaml
from lightning_unlearn.tune.report._html import to_html
from lightning_unlearn.tune.report._table import show
from lightning_unlearn.tune.report._words import findings
from tests.tune._searches import ABOUT, BOUNDED, HELD_OUT, NAMES, NOTHING, SEARCH

searches = pytest.mark.parametrize("search", [SEARCH, NOTHING, HELD_OUT], ids=["some", "nothing", "held out"])


def shown(search):
    stream = io.StringIO()
    show(search, Console(file=stream))
    return stream.getvalue()


@searches
def test_a_table_of_100_columns(search):
    text = shown(search)
    assert max(map(len, text.splitlines())) <= 100
    assert "GradientSurgery on the digit <b>7</b>" in text
    assert "as it is" in text
    assert "original" in text


def test_the_best_come_first_and_the_first_is_always_there():
    rows = re.findall(r"^ +(\d) +(\d+\.\d\d|–) ", shown(SEARCH), re.MULTILINE)
    assert rows == [
        ("3", "0.75"),
        ("5", "1.50"),
        ("4", "3.50"),
        ("6", "8.00"),
        ("1", "12.00"),
        ("0", "33.87"),
    ]
    assert "retain accuracy 21.2" in shown(SEARCH)
    assert "failed" in shown(NOTHING)


def test_what_is_said():
    said = list(findings(SEARCH))
    assert said[0] == (
        "Trial 3 of 7 is closest: 0.75 points from retraining. Without the search it is 33.87, and the originals are at 46.05."
    )
    assert said[1] == "Retrained models differ by 0.06 points among themselves."
    assert said[2] == "1 of 7 trials failed; the last said: ValueError: <script>alert(1)</script>"
    assert "they flatter it" in said[-1]
    first = replace(SEARCH.trials[0], violation=0.0, distance=0.5)
    as_it_is = next(findings(replace(SEARCH, trials=[first, *SEARCH.trials[1:]])))
    assert as_it_is.endswith("It is the strategy as it is; the originals are at 46.05.")
    nothing = list(findings(NOTHING))
    assert nothing[0].startswith("No trial left 98.0 % of the retain accuracy with every original.")
    assert any("lies outside the search space" in line for line in nothing)
    assert "held-out data" in next(findings(HELD_OUT))


def test_csv_has_every_number():
    rows = list(csv.DictReader(io.StringIO(trials_csv(SEARCH))))
    assert len(rows) == 7
    assert list(rows[0])[:7] == [
        *("trial", "distance", "violation", "feasible"),
        *("distance_of_original_1", "distance_of_original_2", "distance_of_original_3"),
    ]
    for row, trial in zip(rows, SEARCH.trials, strict=True):
        assert {name: json.loads(row[name]) for name in trial.values} == dict(trial.values)
        assert row["distance"] == ("" if trial.distance is None else repr(trial.distance))
        assert row["feasible"] == str(trial.is_feasible)
        assert [row[name] for name in NAMES] == [str(trial.numbers.get(name, "")) for name in NAMES]
    assert rows[2]["error"].endswith("</script>")


def test_the_best_entry_is_one_of_a_comparison():
    """Pasted among the entries of a request with other settings, it keeps its own."""
    text = entry_yaml(SEARCH, SEARCH.trials[3])
    entries = yaml.safe_load(text)
    assert entries == [
        {
            "name": "GradientSurgery",
            "strategy": {
                "class_path": "lightning_unlearn.GradientSurgery",
                "init_args": {"when": "always", "alpha": 0.03, "objective": BOUNDED},
            },
            "settings": {"max_steps": 40, "model": {"lr": 0.0025}, "monitor": {"every_n_steps": 6}},
        }
    ]
    request = {"name": "x", "forget": {"forget_class": 1}, "settings": {"max_steps": 5}, "entries": entries}
    [entry] = requests_of([request], None)[0].entries
    assert entry.settings.max_steps == 40
    assert entry.strategy.init_args["objective"]["init_args"]["offset"] == 0.01
    assert text.startswith(
        "# GradientSurgery: trial 3 of 7 on 'the digit <b>7</b>', 3 originals.\n# 0.75 points from"
    )
    first = yaml.safe_load(entry_yaml(SEARCH, SEARCH.trials[0]))[0]
    assert first["strategy"]["init_args"] == {"when": "always"}, "the first trial changes nothing"
    assert first["settings"]["max_steps"] == 60


@searches
def test_the_page_is_complete_by_itself(search):
    page = to_html(search)
    assert to_html(search) == page
    assert "<script" not in page
    assert "<b>7</b>" not in page
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert page.count("<svg") == page.count("<figure") == 5
    assert len(set(re.findall(r' id="([^"]+)"', page))) == len(re.findall(r' id="([^"]+)"', page))
    for name in ("alpha", "max_steps", "objective", "model.lr"):
        assert name in page


def test_files(tmp_path):
    console = Console(file=io.StringIO())
    write_reports(SEARCH, tmp_path, console)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.yaml", "report.html", "trials.csv"]
    write_reports(NOTHING, tmp_path, console)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "trials.csv"]


def test_the_record_is_what_was_written(tmp_path):
    assert (
        of_plain(json.loads(json.dumps(to_plain(SEARCH, Search, "search"))), Search, "search").names
        == SEARCH.names
    )
    assert read_search(tmp_path, ABOUT) is None
    write_search(tmp_path, SEARCH)
    found = read_search(tmp_path, ABOUT)
    assert found.baseline == SEARCH.baseline
    assert [t.counts_as for t in found.trials] == [t.counts_as for t in SEARCH.trials]
    assert trials_csv(found) == trials_csv(SEARCH)
    assert to_html(found) == to_html(SEARCH)


def test_a_full_disk(tmp_path, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lightning_unlearn.tune._record.atomically", full)
    with pytest.raises(UnlearningError, match="No space left on device"):
        write_reports(SEARCH, tmp_path, Console(file=io.StringIO()))
    assert list(tmp_path.iterdir()) == []
