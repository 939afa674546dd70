"""What the sentences say, and when they are silent."""

import pytest

from lightning_unlearn.compare.report._read import cells_of
from lightning_unlearn.compare.report._summarise import summarise
from tests.compare.report._cells import A_CLASS, OF_A_CLASS, comparison, failed, incomplete, request


def of(cells, n=0):
    one = summarise(cells_of(cells)).requests[n]
    return list(one.findings), list(one.lacks)


def test_a_complete_comparison_lacks_nothing():
    findings, lacks = of(comparison(), 1)
    assert lacks == []
    assert findings[0].startswith("LUR comes closest to retraining: an average gap of 0.")
    assert findings[1].startswith("A retrained model is 0.10 ± 0.06 points from the mean of the other 4:")
    assert findings[2] == (
        "Closer to retraining than retain fine-tuning and than ascent with the same settings and seeds, on average: "
        "LUR, SFRon, GradientSurgery, PGU, UNO, NormalisedDifference."
    )


def test_who_is_not_closer_is_named_with_the_difference():
    """`Idle` does what fine-tuning does, hardly worse."""
    worse = ((0.97, 0.99, 0.97, 0.1), 0.001, None)
    findings, _ = of(request("r", {"Idle": worse, "SFRon": A_CLASS["SFRon"]}, OF_A_CLASS))
    said = findings[-1]
    assert said.startswith("Not closer than retain fine-tuning and than ascent with")
    assert "on average: Idle (+" in said
    assert " beside retain fine-tuning, +" in said
    assert "SFRon" not in said


def test_a_control_that_is_closer_than_every_strategy_is_named():
    worse = ((0.97, 0.99, 0.97, 0.1), 0.001, None)
    findings, _ = of(request("r", {"Idle": worse}, OF_A_CLASS))
    assert findings[0].startswith("No strategy comes as close to retraining as retain fine-tuning (")
    assert ", ascent (" in findings[0]
    assert findings[1].startswith("Among the strategies, Idle comes closest")


def test_what_is_missing_is_listed():
    findings, lacks = of(incomplete())
    assert "ascent" not in "".join(findings)
    assert findings[-1].startswith("Closer to retraining than retain fine-tuning with the same settings")
    assert lacks == [
        "There is no cell of: ascent.",
        "UNO has no cell for original 3, unlearning 2.",
        "Without a rank, because a cell has failed or is missing: PGU, UNO, LUR. Their numbers are those of the other cells.",
    ]


@pytest.mark.parametrize("kind", ["fine-tuning", "ascent", "nothing"])
def test_a_control_without_any_cell_is_missed(kind):
    cells = [c for c in request("r", {"SFRon": A_CLASS["SFRon"]}, OF_A_CLASS) if c["kind"] != kind]
    assert any(said.startswith("There is no cell of: ") for said in of(cells)[1])


def test_nothing_at_all_is_said_of_nothing_but_failures():
    cells = [failed(c, "no") for c in request("r", {"SFRon": A_CLASS["SFRon"]}, OF_A_CLASS)]
    findings, lacks = of(cells)
    assert findings == []
    assert lacks[0] == "Gaps and ranks are unknown, because all 5 retrainings have failed."


def test_two_that_are_equally_close_are_both_named():
    cells = request("r", {"A": A_CLASS["SFRon"], "B": A_CLASS["SFRon"]}, OF_A_CLASS)
    for one in cells:
        if one["kind"] == "strategy":
            one["evaluations"] = [{"seed": 1, "forget_accuracy": 0.0, "retain_accuracy": 1.0, "test_accuracy": 1.0, "membership": 1.0, "mia_efficacy": 0.5}]  # fmt: skip
    assert of(cells)[0][0].startswith("A and B come closest")


def test_controls_of_several_settings_are_missed_in_one_word():
    cells = [c for c in comparison() if c["kind"] != "ascent"]
    assert "There is no cell of: ascent (A, B)." in of(cells)[1]
