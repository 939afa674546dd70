"""What a terminal shows of jobs."""

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from lightning_unlearn.processes import Overview, Rows, _overview
from tests.processes._jobs import Place, Writes

JOBS = [Writes(name, Path()) for name in ("one [red]", "two", "three")]


@pytest.fixture
def console():
    return Console(file=StringIO(), force_terminal=True, width=100, color_system=None)


def shown(console):
    return Text.from_ansi(console.file.getvalue()).plain


def test_a_row_for_each_job(console):
    with Rows(console, JOBS) as rows:
        rows.progress(JOBS[0], Place(0.5, "half of it"))
        rows._bars.refresh()
        rows.ended(JOBS[0], None)
        rows.ended(JOBS[1], "RuntimeError")
    assert re.search(r"one \[red\] .* half of it", shown(console))
    last = shown(console).splitlines()[-3:]
    assert [line.split()[-2] for line in last] == ["done", "failed", "waiting"]


def test_a_bar_over_all_and_a_row_for_each_that_is_under_way(console):
    with Overview(console, 12) as overview:
        overview.progress(JOBS[0], Place(0.5, "step 3"))
        overview.progress(JOBS[1], Place(0.25, "step 1"))
        overview._bars.refresh()
        during = shown(console)
        assert [task.completed for task in overview._bars.tasks] == [0.75, 0.5, 0.25]
        overview.ended(JOBS[0], None)
        overview.ended(JOBS[1], "RuntimeError")
        overview.ended(JOBS[2], None)  # it was done before it could say anything
        assert [task.completed for task in overview._bars.tasks] == [3]
    assert re.search(r"all .* 0/12", during)
    assert re.search(r"one \[red\] .* step 3", during)
    assert re.search(r"all .* 2/12, 1 failed", shown(console).splitlines()[-1])


def test_without_a_terminal_a_line_is_written_now_and_then(monkeypatch):
    console = Console(file=StringIO(), force_terminal=False, width=20)
    now = 1000.0
    monkeypatch.setattr(_overview.time, "monotonic", lambda: now)
    with Overview(console, 12) as overview:
        overview.ended(JOBS[0], None)
        now += 61
        overview.ended(JOBS[1], "RuntimeError")
        overview.ended(JOBS[2], None)
        now += 61
        overview.ended(JOBS[0], None)
    assert console.file.getvalue().splitlines() == ["1/12, 1 failed: two", "3/12, 1 failed: one [red]"]


@pytest.mark.parametrize("make", [lambda console: Rows(console, JOBS), lambda console: Overview(console, 3)])
def test_without_a_terminal_nothing_is_drawn(make):
    console = Console(file=StringIO(), force_terminal=False, width=100)
    with make(console) as display:
        display.progress(JOBS[0], Place(0.5, "half"))
        display.ended(JOBS[0], None)
    assert console.file.getvalue().strip() == ""
