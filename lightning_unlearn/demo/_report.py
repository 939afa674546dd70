"""What the three models reached, as a table to read and as files to work with."""

import csv
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table
from torch import Tensor

from lightning_unlearn._files import atomically


@dataclass(frozen=True)
class Row:
    """The numbers of one model; `None` where a number does not exist for it.

    Attributes:
        name: Which model: original, unlearned or reference.
        forget_accuracy: Accuracy on the forget set, in [0, 1].
        retain_accuracy: Accuracy on the retain set, in [0, 1].
        test_accuracy: Accuracy on data never trained on, in [0, 1].
        mia_accuracy: Accuracy of a membership-inference attack, in [0, 1]; 0.5 is chance and ideal.
        forget_loss: Mean loss on the forget set, in the units of the training loss.
        retain_loss: Mean loss on the retain set, in the units of the training loss.
        seconds: Wall-clock time that it took to make the model.
        speedup: How many times faster than retraining.

    Example:
        >>> Row("original", 1.0, 1.0, 0.99, 0.58, 0.01, 0.01, 5.0).speedup is None
        True
    """

    name: str
    forget_accuracy: float | None
    retain_accuracy: float | None
    test_accuracy: float | None
    mia_accuracy: float | None
    forget_loss: float | None
    retain_loss: float | None
    seconds: float | None
    speedup: float | None = None


def table(rows: Iterable[Row], title: str) -> Table:
    """The rows as a Rich table that fits a terminal of 80 columns; percentages to one decimal.

    Args:
        rows: One for each model.
        title: Printed above the table.

    Returns:
        A table for `rich.console.Console.print`; what is absent or not finite is a dash.

    Example:
        >>> row = Row("unlearned", 0.0, 0.998, 0.981, 0.512, 9.1, 0.02, 0.7, 8.4)
        >>> made = table([row], title="Forgetting the digit 3")
        >>> [next(iter(column.cells)) for column in made.columns]
        ['unlearned', '0.0 %', '99.8 %', '98.1 %', '51.2 %', '9.100', '0.020', '0.7', '8.4 x']
    """
    made = Table(
        title=title,
        caption="MIA: membership-inference attack; 50 % accuracy is chance, and ideal.",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    made.add_column("Model", style="bold", no_wrap=True)
    for header in (
        "Forget\nacc.",
        "Retain\nacc.",
        "Test\nacc.",
        "MIA\nacc.",
        "Forget\nloss",
        "Retain\nloss",
        "Time\n(s)",
        "Speed-\nup",
    ):
        made.add_column(header, justify="right", no_wrap=True)
    for row in rows:
        made.add_row(
            row.name,
            _percent(row.forget_accuracy),
            _percent(row.retain_accuracy),
            _percent(row.test_accuracy),
            _percent(row.mia_accuracy),
            _loss(row.forget_loss),
            _loss(row.retain_loss),
            _tenths(row.seconds),
            _tenths(row.speedup, " x"),
        )
    return made


def write_json(report: Mapping[str, object], path: Path | str) -> None:
    """Write a report as strict JSON, atomically.

    Args:
        report: Mappings, lists, plain values, dataclasses, paths and tensors, nested as you like; numbers that
            are not finite become `null`, since JSON has no name for them.
        path: The file to write.

    Raises:
        TypeError: The report holds something that JSON cannot express; nothing is written then.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_json({"loss": float("nan"), "epochs": 2}, Path(folder, "report.json"))
        ...     json.loads(Path(folder, "report.json").read_text())
        {'loss': None, 'epochs': 2}
    """
    text = json.dumps(_plain(report), indent=2, allow_nan=False) + "\n"
    with atomically(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(rows: Iterable[Row], path: Path | str) -> None:
    """Write the rows as CSV with a header, in full precision, atomically; absent numbers are empty.

    Args:
        rows: One for each model.
        path: The file to write.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_csv([Row("original", 1, 1, 0.99, 0.5, 0.1, 0.1, 5.0)], Path(folder, "rows.csv"))
        ...     Path(folder, "rows.csv").read_text().splitlines()[1]
        'original,1,1,0.99,0.5,0.1,0.1,5.0,'
    """
    with (
        atomically(Path(path)) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.DictWriter(stream, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def _tenths(value: float | None, unit: str = "") -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.1f}{unit}"


def _percent(value: float | None) -> str:
    return _tenths(None if value is None else 100 * value, " %")


def _loss(value: float | None) -> str:
    return f"{value:.3f}" if value is not None and abs(value) < 10 else _tenths(value)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Tensor):
        return _plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
