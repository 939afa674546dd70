import csv
import json
import math
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console

from lightning_unlearn._files import prepare_folder
from lightning_unlearn.demo._report import Row, table, write_csv, write_json
from lightning_unlearn.errors import ConfigurationError

ROWS = [
    Row("original", 1.0, 0.99951, 0.98444, 0.5843, 0.0021, 0.0019, 6.04),
    Row("unlearned", 0.0, 0.9983, 0.98, 0.5, 123.456, 0.02, 0.71, 8.45),
    Row("reference", 0.0, 1.0, 0.9822, None, math.nan, 0.01, 6.0, 1.0),
]


def printed(rows: list[Row], width: int = 80) -> list[str]:
    stream = StringIO()
    Console(file=stream, width=width).print(table(rows, "Forgetting the digit 3"))
    return stream.getvalue().splitlines()


def test_table_prints_every_number_in_80_columns() -> None:
    lines = printed(ROWS)
    assert "Forgetting the digit 3" in lines[0]
    cells = {line.split()[0]: " ".join(line.split()[1:]) for line in lines if line.split()[:1]}
    assert cells["original"] == "100.0 % 100.0 % 98.4 % 58.4 % 0.002 0.002 6.0 -"
    assert cells["unlearned"] == "0.0 % 99.8 % 98.0 % 50.0 % 123.5 0.020 0.7 8.4 x"
    assert cells["reference"] == "0.0 % 100.0 % 98.2 % - - 0.010 6.0 1.0 x"
    assert "50 % accuracy is chance" in lines[-1]


def test_csv_keeps_full_precision(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    write_csv(ROWS, path)
    with path.open(newline="") as stream:
        read = list(csv.DictReader(stream))
    assert [row["name"] for row in read] == ["original", "unlearned", "reference"]
    assert float(read[0]["test_accuracy"]) == 0.98444
    assert (read[0]["speedup"], read[2]["mia_accuracy"]) == ("", "")


def test_json_is_strict_and_takes_what_a_report_holds(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_json(
        {
            "rows": ROWS,
            "folder": Path("a") / "b",
            "loss": torch.tensor(0.5),
            "losses": torch.tensor([1.0, math.inf]),
            "nested": {"pair": (1, True), 3: None},
            "text": "Ziffer drei →",
        },
        path,
    )
    read = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert read["rows"][1]["speedup"] == 8.45
    assert read["rows"][2]["forget_loss"] is None
    assert read["folder"] == str(Path("a") / "b")
    assert (read["loss"], read["losses"]) == (0.5, [1.0, None])
    assert read["nested"] == {"pair": [1, True], "3": None}
    assert read["text"] == "Ziffer drei →"


def test_failures_leave_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_json({"a": 1}, path)
    with pytest.raises(TypeError):
        write_json({"a": object()}, path)

    def rows():
        yield ROWS[0]
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        write_csv(rows(), tmp_path / "rows.csv")
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]
    assert json.loads(path.read_text()) == {"a": 1}


def test_folder_is_made_with_parents_and_left_empty(tmp_path: Path) -> None:
    folder = prepare_folder(str(tmp_path / "a" / "b"))
    assert folder == tmp_path / "a" / "b"
    assert list(folder.iterdir()) == []
    assert prepare_folder(folder) == folder


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_folder_that_cannot_be_made(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        ConfigurationError, match=r"output folder must be writable, found .* Name another folder"
    ):
        prepare_folder(tmp_path / name)


def test_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(ConfigurationError, match="Permission denied"):
        prepare_folder(tmp_path)
