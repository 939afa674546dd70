"""Every number of the summary, beside plain loops over the raw cells."""

import copy
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_unlearn.compare.report._gap import average_gap
from lightning_unlearn.compare.report._read import cells_of
from lightning_unlearn.compare.report._spread import Point, spread
from lightning_unlearn.compare.report._summarise import summarise
from lightning_unlearn.metrics import functional as F
from tests.compare.report._cells import (
    A_CLASS,
    MEASURES,
    OF_A_CLASS,
    PLAIN,
    SAMPLES,
    SLOW,
    cell,
    comparison,
    failed,
    incomplete,
    one_reference,
    request,
    without_reference,
)
from tests.compare.report._oracle import FIELDS, REPORTED, expected


def summary(cells):
    return summarise(cells_of(cells))


def rows_of(cells, name="the digit 3"):
    (found,) = [one for one in summary(cells).requests if one.name == name]
    return {row.name: row for row in found.rows}


def assert_same(row, wanted, fields=FIELDS):
    for field in fields:
        value = getattr(row, field)
        assert (value is None) == (field not in wanted), (row.name, field)
        for part, number in asdict(value).items() if value else ():
            other = wanted[field][part]
            assert (number is None) == (other is None), (row.name, field, part)
            if number is not None:
                assert number == pytest.approx(other, rel=1e-9, abs=1e-9), (row.name, field, part)


@pytest.mark.parametrize(
    "sample", ["comparison", "incomplete", "without_reference", "one_reference", "one_seed"]
)
def test_every_number_equals_that_of_plain_loops(sample):
    cells = SAMPLES[sample]()
    compared = 0
    for one in summary(cells).requests:
        for row in one.rows:
            name = row.name.removesuffix(" (A)").removesuffix(" (B)")
            in_settings = [
                c for c in cells if c["controls"] and (c["settings"] == SLOW) == (row.settings == "A")
            ]
            controls = in_settings[0]["controls"] if len(one.settings) > 1 and row.settings else None
            entry = name if row.kind == "strategy" else None
            assert_same(row, expected(cells, one.name, row.kind, entry, controls))
            compared += 1
    assert compared == len({(c["request"], c["kind"], c["entry"], c["controls"]) for c in cells})


def test_plain_loops_would_notice():
    """The negative control: one evaluation of one cell is another number."""
    cells = comparison()
    row = rows_of(cells)["SFRon"]
    changed = copy.deepcopy(cells)
    victim = next(c for c in changed if c["entry"] == "SFRon" and c["request"] == "the digit 3")
    victim["evaluations"][1]["membership"] -= 1e-5
    with pytest.raises(AssertionError, match="membership"):
        assert_same(row, expected(changed, "the digit 3", "strategy", "SFRon"))


grids = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 3))


@given(grid=grids, seed=st.integers(0, 2**32), digits=st.integers(0, 6), fails=st.integers(0, 2))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_any_numbers_in_any_grid_in_any_order(grid, seed, digits, fails):
    """Few digits make ties, and distances of zero."""
    originals, unlearnings, evaluations, references = grid
    rng = np.random.default_rng(seed)
    seeds = tuple(tuple(range(count)) for count in (originals, unlearnings, references))
    cells = request("r", {"A": A_CLASS["SFRon"]}, OF_A_CLASS, *seeds)
    for one in cells:
        one["evaluations"] = [
            {"seed": k, **{m: round(float(rng.random()), digits) for m in REPORTED}}
            for k in range(evaluations)
        ]
    for k in rng.permutation(len(cells))[:fails]:
        cells[k] = failed(cells[k], "no")
    rng.shuffle(cells)
    rows = rows_of(cells, "r")
    kinds = {"A": "strategy", "retain fine-tuning": "fine-tuning", "ascent": "ascent", "do nothing": "nothing", "retraining": "retraining"}  # fmt: skip
    for name in rows:
        assert_same(rows[name], expected(cells, "r", kinds[name]))


def test_the_average_gap_is_the_metric_in_points():
    rng = np.random.default_rng(0)
    values, reference = rng.random((2, 4))
    named = [dict(zip(MEASURES, of.tolist(), strict=True)) for of in (values, reference)]
    assert average_gap(values, reference) == pytest.approx(100 * float(F.average_gap(*named)), abs=1e-4)


def test_the_floor_leaves_each_reference_out_of_its_own_mean():
    """Two references that differ by 0.2 in one number of four are 5 points apart, not 2.5."""
    cells = []
    for seed, test in ((101, 0.5), (102, 0.7)):
        one = cell("r", "retraining", "retraining", (0, 0, 0, 0), 0, None, (None, None, seed))
        one["evaluations"] = [{"seed": 1, "forget_accuracy": 0.0, "retain_accuracy": 1.0, "test_accuracy": test, "membership": 1.0, "mia_efficacy": 0.5}]  # fmt: skip
        cells.append(one)
    floor = rows_of(cells, "r")["retraining"].average_gap
    assert (floor.mean, floor.deviation) == (pytest.approx(5.0), pytest.approx(0.0))


def test_equal_numbers_have_no_deviation_at_all():
    found = spread([Point(1, seed, 0.1, (0.1, 0.1, 0.1)) for seed in range(7)])
    assert (found.deviation, found.over_unlearnings, found.over_evaluations) == (0.0, 0.0, 0.0)


def test_rank_is_by_the_mean_gap_among_all_but_retraining():
    rows = rows_of(comparison())
    ranked = sorted((row for row in rows.values() if row.rank), key=lambda row: row.rank)
    assert [row.rank for row in ranked] == list(range(1, 10))
    assert [row.name for row in ranked] == sorted(
        (row.name for row in ranked), key=lambda n: rows[n].average_gap.mean
    )
    assert rows["retraining"].rank is None


def test_equal_gaps_share_the_better_rank():
    cells = request("r", {"A": A_CLASS["SFRon"], "B": A_CLASS["PGU"]}, OF_A_CLASS)
    numbers = {json_seeds(c): c["evaluations"] for c in cells if c["entry"] == "A"}
    for c in cells:
        if c["entry"] == "B":
            c["evaluations"] = numbers[json_seeds(c)]
    rows = rows_of(cells, "r")
    assert (rows["A"].rank, rows["B"].rank) == (1, 1)
    assert sorted(row.rank for row in rows.values() if row.rank) == [1, 1, 3, 4, 5]


def json_seeds(c):
    return tuple(c["seeds"].values())


def test_a_row_with_a_failed_or_a_missing_cell_has_no_rank():
    rows = rows_of(incomplete())
    assert [rows[name].rank for name in ("PGU", "UNO", "LUR")] == [None] * 3
    assert [rows[name].rank for name in ("SFRon", "GradientSurgery", "NormalisedDifference")] == [1, 2, 3]
    assert (rows["PGU"].cells, len(rows["PGU"].failed), len(rows["PGU"].missing)) == (5, 1, 0)
    assert (rows["UNO"].cells, len(rows["UNO"].failed), len(rows["UNO"].missing)) == (5, 0, 1)
    assert (rows["LUR"].cells, len(rows["LUR"].failed)) == (0, 6)
    assert rows["LUR"].average_gap is None
    assert rows["LUR"].strategy["class_path"] == "lightning_unlearn.LUR"
    assert asdict(rows["UNO"].missing[0]) == {"original": 3, "unlearning": 2, "reference": None}


def test_settings_of_their_own_have_controls_of_their_own():
    one = next(r for r in summary(comparison()).requests if r.name.startswith("10"))
    assert [of.letter for of in one.settings] == ["A", "B"]
    assert [of.values["model"]["lr"] for of in one.settings] == [SLOW["model"]["lr"], PLAIN["model"]["lr"]]
    names = [row.name for row in one.rows]
    assert {"LUR (A)", "SFRon (B)", "ascent (A)", "ascent (B)", "do nothing", "retraining"} <= set(names)
    assert names[-2:] == ["do nothing", "retraining"]


def test_a_strategy_may_be_called_as_a_control():
    cells = request("r", {"ascent": A_CLASS["SFRon"], "retraining": A_CLASS["PGU"]}, OF_A_CLASS)
    rows = summary(cells).requests[0].rows
    assert [(row.kind, row.rank) for row in rows if row.name == "ascent"] == [("strategy", 1), ("ascent", 3)]


def test_without_a_reference_there_is_no_gap_and_a_sentence_why():
    (one,) = summary(without_reference()).requests
    assert all(row.average_gap is None and row.rank is None and not row.gaps for row in one.rows)
    assert one.lacks[0] == "Gaps and ranks are unknown, because no model was retrained."
    assert one.findings == []
    cells = [failed(c, "no") if c["kind"] == "retraining" else c for c in comparison()]
    assert "because all 5 retrainings have failed" in summary(cells).requests[1].lacks[0]


def test_with_one_reference_there_is_a_gap_but_no_floor():
    (one,) = summary(one_reference()).requests
    rows = {row.name: row for row in one.rows}
    assert rows["retraining"].average_gap is None
    assert rows["SFRon"].rank == 2
    assert "there is only one" in one.lacks[0]
    assert not any("A retrained model is" in said for said in one.findings)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_a_failure_of_its_cell_alone(value):
    cells = comparison()
    victim = next(c for c in cells if c["entry"] == "UNO" and c["request"] == "the digit 3")
    victim["evaluations"][2]["test_accuracy"] = value
    row = rows_of(cells)["UNO"]
    assert [of.reason for of in row.failed] == ["its test accuracy is not finite"]
    assert row.cells == 5
    assert np.isfinite(row.average_gap.mean)


@pytest.mark.parametrize(
    ("error", "reason"),
    [("a\n  b: c \n\n", "b: c"), ("", "it failed without a word"), (None, "it was not evaluated")],
)
def test_the_last_line_of_an_error(error, reason):
    cells = comparison()
    index = next(k for k, c in enumerate(cells) if c["kind"] == "strategy")
    cells[index] = failed(cells[index], error)
    (row,) = [row for one in summary(cells).requests for row in one.rows if row.failed]
    assert row.failed[0].reason == reason


def test_missing_cells_are_known_from_the_other_rows_and_requests():
    cells = [c for c in comparison() if not (c["request"] == "the digit 3" and c["seeds"]["original"] == 3)]
    cells = [c for c in cells if (c["request"], c["seeds"]["reference"]) != ("the digit 3", 104)]
    rows = rows_of(cells)
    assert {(s.original, s.unlearning) for s in rows["SFRon"].missing} == {(3, 1), (3, 2)}
    assert [s.original for s in rows["do nothing"].missing] == [3]
    assert [s.reference for s in rows["retraining"].missing] == [104]
    assert all(not row.missing for row in rows_of(comparison()).values())


def test_collapses_and_targets_are_counted():
    rows = rows_of(comparison())
    assert (rows["ascent"].collapsed, rows["SFRon"].collapsed) == (6, 0)
    assert (rows["SFRon"].reached, rows["retain fine-tuning"].reached, rows["retraining"].reached) == (
        6,
        0,
        None,
    )
    unwatched = [{**c, "settings": {**PLAIN, "monitor": None}} if c["settings"] else c for c in comparison()]
    assert rows_of(unwatched)["SFRon"].reached is None
