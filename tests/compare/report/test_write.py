"""Five files, complete or not at all, the same for the same cells."""

import csv
import errno
import io
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import matplotlib as mpl
import pytest
from rich.console import Console

import lightning_unlearn.compare.report as room
from lightning_unlearn import UnlearningError
from lightning_unlearn.compare.report import read_cells, write_reports
from lightning_unlearn.compare.report._cell import MEASURES, REPORTED
from lightning_unlearn.compare.report._csv import raw_csv, summary_csv
from lightning_unlearn.compare.report._json import to_json
from lightning_unlearn.compare.report._markdown import to_markdown
from lightning_unlearn.compare.report._read import cells_of
from lightning_unlearn.compare.report._schema import schema
from lightning_unlearn.compare.report._summarise import summarise
from lightning_unlearn.compare.report._terminal import show
from tests.compare.report._cells import ODD, SAMPLES, comparison, incomplete, odd_names, one_seed
from tests.compare.report._oracle import expected
from tests.compare.report.test_read import put_into

NAMES = {"report.json", "report.csv", "summary.csv", "report.md", "report.html"}
PUBLISHED = json.loads((Path(room.__file__).parent / "schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(PUBLISHED)


def quiet():
    return Console(file=io.StringIO())


def summary(cells):
    return summarise(cells_of(cells))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def written(cells, folder):
    write_reports(cells, folder, quiet())
    return contents(folder)


def lines(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("sample", ["comparison", "odd_names"])
def test_the_same_cells_in_any_order_give_the_same_bytes(tmp_path, sample):
    cells = SAMPLES[sample]()
    first = written(cells, tmp_path / "a")
    assert set(first) == NAMES
    random.Random(3).shuffle(cells)
    for one in cells:
        one["evaluations"].reverse()
    with mpl.rc_context(
        {"axes.facecolor": "red", "font.size": 30, "svg.hashsalt": "x", "lines.linewidth": 9}
    ):
        second = written(cells, tmp_path / "b")
    assert second == first


def test_another_number_gives_other_bytes(tmp_path):
    first = written(one_seed(), tmp_path / "a")
    cells = one_seed()
    cells[0]["evaluations"][0]["membership"] -= 0.1
    assert all(first[name] != other for name, other in written(cells, tmp_path / "b").items())


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(tmp_path):
    program = (
        "import sys; from tests.compare.report.test_write import *;"
        "write_reports(comparison(), sys.argv[1], quiet())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "there")], check=True, env=environment)
    assert contents(tmp_path / "there") == written(comparison(), tmp_path / "here")


def test_cell_files_are_enough(tmp_path):
    put_into(tmp_path / "output", incomplete())
    again = written(read_cells(tmp_path / "output"), tmp_path / "again")
    assert again == written(incomplete(), tmp_path / "first")


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_published_schema_accepts_every_report(sample):
    plain = json.loads(to_json(summary(SAMPLES[sample]())))
    VALIDATOR.validate(plain)
    plain["requests"][0]["rows"][0]["rank"] = "first"
    assert not VALIDATOR.is_valid(plain)


def test_the_published_schema_is_that_of_the_dataclasses():
    jsonschema.Draft202012Validator.check_schema(PUBLISHED)
    assert schema() == PUBLISHED


def test_json_has_the_raw_cells():
    plain = json.loads(to_json(summary(comparison())))
    assert sorted(plain["cells"], key=lambda c: c["key"]) == sorted(comparison(), key=lambda c: c["key"])


def test_csv_has_a_line_for_each_cell_and_evaluation_in_full_precision():
    cells = incomplete()
    found = lines(raw_csv(summary(cells)))
    assert len(found) == sum(max(len(c["evaluations"]), 1) for c in cells)
    by_key = {c["key"]: c for c in cells}
    for line in found:
        one = by_key[line["key"]]
        assert (line["request"], line["entry"], line["kind"]) == (one["request"], one["entry"], one["kind"])
        assert line["original_seed"] == ("" if (seed := one["seeds"]["original"]) is None else str(seed))
        if one["error"]:
            assert line["failure"] == "RuntimeError: <b>CUDA|out of memory</b>"
            assert {line[m] for m in REPORTED} == {""}
        else:
            (numbers,) = [e for e in one["evaluations"] if str(e["seed"]) == line["evaluation_seed"]]
            assert [float(line[m]) for m in REPORTED] == [numbers[m] for m in REPORTED]


def test_summary_csv_has_every_row():
    cells = comparison()
    found = lines(summary_csv(summary(cells)))
    (row,) = [line for line in found if (line["request"], line["row"]) == ("the digit 3", "SFRon")]
    wanted = expected(cells, "the digit 3", "strategy", "SFRon")
    assert float(row["average_gap_mean"]) == pytest.approx(wanted["average_gap"]["mean"])
    assert float(row["beside_ascent_deviation"]) == pytest.approx(wanted["beside_ascent"]["deviation"])
    assert (row["rank"], row["cells"], row["failed"], row["reached"]) == ("2", "6", "0", "6")
    assert len(found) == 20


def test_names_that_mean_something_to_csv_come_back():
    found = lines(raw_csv(summary(odd_names())))
    assert {line["request"] for line in found} == {f"the digit 3 {ODD}"}


def test_markdown_has_every_row_and_nothing_that_is_html():
    text = to_markdown(summary(odd_names()))
    assert "<" not in text.replace("<br>", "")
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 4
    for table in tables:
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(columns) == 1, table
    assert len(tables[0].splitlines()) == 2 + 9


def test_the_numbers_of_the_tables_are_those_of_plain_loops():
    cells = comparison()
    text = to_markdown(summary(cells))
    line = next(line for line in text.split("## the digit 3")[1].splitlines() if line.startswith("| UNO |"))
    wanted = expected(cells, "the digit 3", "strategy", "UNO")
    shown = [f"{100 * wanted[m]['mean']:.1f} ± {100 * wanted[m]['deviation']:.1f}" for m in REPORTED]
    shown.append(f"{wanted['average_gap']['mean']:.2f} ± {wanted['average_gap']['deviation']:.2f}")
    assert line.split(" | ")[1:7] == shown


def test_a_full_disk_leaves_the_old_reports_and_one_clear_sentence(tmp_path, monkeypatch):
    before = written(one_seed(), tmp_path)

    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(
        UnlearningError, match=r"could not be written to .*: No space left on device\. The cells are kept"
    ):
        write_reports(comparison(), tmp_path, quiet())
    assert contents(tmp_path) == before


def test_a_page_that_fails_leaves_no_file(tmp_path, monkeypatch):
    def fails(comparison):
        raise RuntimeError("no page")

    monkeypatch.setattr("lightning_unlearn.compare.report._write.to_html", fails)
    with pytest.raises(RuntimeError, match="no page"):
        write_reports(one_seed(), tmp_path, quiet())
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("terminal", [True, False])
def test_the_terminal_has_100_columns(sample, terminal):
    console = Console(
        file=io.StringIO(), force_terminal=terminal, width=100 if terminal else 80, color_system=None
    )
    show(summary(SAMPLES[sample]()), console)
    text = re.sub(r"\x1b\[[\d;]*m", "", console.file.getvalue())
    assert max(len(line) for line in text.splitlines()) <= 100
    assert console.width == (100 if terminal else 80)
    assert "…" not in text
    for head in ("Forget", "Rank", "minus", "Time s"):
        assert head in text


def test_the_terminal_shows_every_row_with_its_numbers():
    console = quiet()
    show(summary(incomplete()), console)
    text = console.file.getvalue()
    wanted = expected(incomplete(), "the digit 3", "strategy", "GradientSurgery")
    (line,) = [line for line in text.splitlines() if line.strip().startswith("GradientSurgery  ")]
    assert line.split()[1:7] == [*(f"{100 * wanted[m]['mean']:.1f}" for m in MEASURES), f"{wanted['average_gap']['mean']:.2f}", "2"]  # fmt: skip
    for part in (
        "6 of 6 failed",
        "1 missing",
        "There is no cell of: ascent.",
        "RuntimeError: <b>CUDA|out of memory</b>",
    ):
        assert part in text


def test_markup_of_rich_is_text():
    console = quiet()
    show(summary(odd_names()), console)
    assert "[bold]" in console.file.getvalue()


def test_how_many_cells_are_not_there_is_said_everywhere(tmp_path):
    console = quiet()
    paths = write_reports(one_seed(), tmp_path, console, planned=len(one_seed()) + 3)
    said = f"3 of {len(one_seed()) + 3} cells are not there yet."
    texts = [console.file.getvalue(), *(paths[name].read_text() for name in ("report.md", "report.html"))]
    assert all(said in text for text in texts)
    assert json.loads(paths["report.json"].read_text())["absent"] == 3
    assert "not there yet" not in to_markdown(summary(one_seed()))
