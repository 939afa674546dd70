"""The command line and the configuration of a comparison; needs jsonargparse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from typing_extensions import override

from lightning_unlearn.compare._tasks import FIRST
from lightning_unlearn.reference._config import TrainingCLI

ABOUT = (
    "Unlearn by several strategies with several seeds, beside doing nothing, retain fine-tuning and ascent with as many "
    "steps, and retraining, and put the numbers into one table. What was interrupted goes on."
)
Seeds = int | list[int]


class ModelsCLI(TrainingCLI):
    """Parses how originals and references are trained, with how many seeds, and where."""

    @override
    def add_arguments_to_parser(self, parser: Any) -> None:
        for name in ("task", "data_dir"):
            parser.add_argument(f"--{name}", type=str | None, help=FIRST[name])
        parser.add_argument(
            "--original",
            type=str | list[str] | None,
            help="Checkpoint, or list of them, to start from; without it originals are trained.",
        )
        parser.add_argument("--original_seeds", type=Seeds | None, help="Number or list; 3 by default.")
        parser.add_argument("--unlearning_seeds", type=Seeds, default=1, help="Number or list.")
        parser.add_argument("--evaluation_seeds", type=Seeds, default=3, help="Number or list.")
        parser.add_argument(
            "--reference_seeds", type=Seeds, default=5, help="Number (101, 102, ...) or list."
        )
        parser.add_argument(
            "--processes", type=int | None, help="How many at a time; as many as cores by default."
        )
        parser.add_argument("--threads", type=int, default=1, help="Of torch in each process.")
        parser.add_argument("--output", type=Path, default=Path("comparison"), help="Folder for everything.")
        parser.add_argument(
            "--attack_samples",
            type=int | None,
            default=1000,
            help="How many samples of either kind a membership attack learns from at most; null for all.",
        )
        parser.add_argument("--predict", type=str | None, help="Import path of how predictions are made.")
        parser.add_argument(
            "--data_key", type=str | None, help="Name of the data, which are then not read for keys."
        )
        parser.add_argument(
            "--requests", type=list[dict[str, Any]] | None, help="What is forgotten; see docs/compare.md."
        )


class CompareCLI(ModelsCLI):
    """The same, and what is compared.

    Args:
        args: of the command line, or a configuration.
        options: of the parser.
    """

    def __init__(self, args: list[str] | Namespace | dict[str, Any], **options: Any) -> None:
        super().__init__(args, prog="lightning-unlearn compare", description=ABOUT, **options)

    @override
    def add_arguments_to_parser(self, parser: Any) -> None:
        super().add_arguments_to_parser(parser)
        parser.add_argument("--report", type=str | None, help=FIRST["report"])
        parser.add_argument(
            "--strategies",
            nargs="+",
            help="In place of the entries of every request: `SFRon 'PGU(threshold=0.9)'`.",
        )
