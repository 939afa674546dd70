"""What is no cell, and what cannot be of one comparison, is refused with the remedy."""

import json

import pytest

from lightning_unlearn import ConfigurationError
from lightning_unlearn.compare.report import read_cells
from lightning_unlearn.compare.report._read import cells_of
from tests.compare.report._cells import comparison, one_seed


def put_into(folder, cells):
    (folder / "cells").mkdir(parents=True)
    for one in cells:
        path = folder / "cells" / f"{one['kind']}-{one['key'][:16]}.json"
        path.write_text(json.dumps(one))
    return folder


def test_files_come_back_as_they_were(tmp_path):
    found = read_cells(put_into(tmp_path, comparison()))
    assert sorted(found, key=lambda c: c["key"]) == sorted(comparison(), key=lambda c: c["key"])


def test_half_written_files_are_no_cells(tmp_path):
    put_into(tmp_path, one_seed())
    (tmp_path / "cells" / ".strategy-0123.json").write_text("{")
    (tmp_path / "cells" / "strategy.json.log").write_text("text")
    assert len(read_cells(tmp_path)) == len(one_seed())


@pytest.mark.parametrize("folder", ["", "cells"])
def test_a_folder_without_cells_is_refused(tmp_path, folder):
    (tmp_path / "cells").mkdir()
    with pytest.raises(
        ConfigurationError, match=r"`folder` must hold the cells .*found no file.*Name its output"
    ):
        read_cells(tmp_path / folder)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"format": 1}', b"\xff\xfe"])
def test_a_damaged_file_is_named(tmp_path, text):
    put_into(tmp_path, one_seed())
    (tmp_path / "cells" / "odd.json").write_bytes(text)
    with pytest.raises(
        ConfigurationError, match=r"found a damaged one, .*odd\.json: .*Run the comparison again"
    ):
        read_cells(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("format", "lightning-unlearn cell 1", "cell.format"),
        ("kind", "teacher", "cell.kind"),
        ("steps", "30", "cell.steps"),
        ("steps", 1.5, "cell.steps"),
        ("seconds", True, "cell.seconds"),
        ("stopped", "bored", "cell.stopped"),
        ("seeds", {"original": 1}, "cell.seeds"),
        ("evaluations", {}, "cell.evaluations"),
        ("settings", [], "cell.settings"),
        ("surprise", 1, "cell"),
    ],
)
def test_what_is_no_cell_is_refused_with_its_place(field, value, where):
    cells = one_seed()
    cells_of(cells)  # the control
    cells[0][field] = value
    with pytest.raises(ConfigurationError) as refused:
        cells_of(cells)
    assert str(refused.value).startswith(f"`{where}` must ")


def test_no_cell_is_refused():
    with pytest.raises(ConfigurationError, match="`cells` must hold at least one cell, found none"):
        cells_of([])


def test_two_cells_of_the_same_seeds_are_of_two_comparisons():
    cells = one_seed()
    other = {**cells[0], "key": "0" * 64}
    with pytest.raises(
        ConfigurationError, match=r"found two cells of the same seeds for 'SFRon' in 'the digit 3'\. Run"
    ):
        cells_of([*cells, other])


def test_two_configurations_of_one_entry_are_of_two_comparisons():
    cells = comparison()
    cells[0]["strategy"] = {"class_path": "lightning_unlearn.SFRon", "init_args": {"alpha": 2.0}}
    with pytest.raises(ConfigurationError, match="found two different configurations for 'SFRon'"):
        cells_of(cells)


def test_controls_of_two_settings_may_have_the_same_seeds():
    assert len(cells_of(comparison())) == len(comparison())


def test_files_that_belong_to_another_comparison_are_not_even_looked_at(tmp_path):
    put_into(tmp_path, one_seed())
    wanted = sorted(path.name for path in (tmp_path / "cells").iterdir())[:3]
    (tmp_path / "cells" / "damaged.json").write_text("{")
    assert len(read_cells(tmp_path, [*wanted, "not-there-yet.json"])) == 3
    with pytest.raises(ConfigurationError, match="found no file"):
        read_cells(tmp_path, [])
