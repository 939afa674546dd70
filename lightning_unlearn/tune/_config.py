"""The command line and the configuration of a search; needs jsonargparse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typing_extensions import override

from lightning_unlearn.compare._comparison import plain
from lightning_unlearn.compare._config import ModelsCLI
from lightning_unlearn.tune._options import with_settings, without_settings

ABOUT = (
    "Search for the arguments with which a strategy comes closest to retraining, or to what held-out data say, while the retain "
    "accuracy stays. Takes the configuration of a comparison. What was interrupted goes on."
)


class TuneCLI(ModelsCLI):
    """The same as for a comparison, and what is searched.

    Args:
        args: of the command line, or a configuration.
    """

    def __init__(self, args: list[str] | dict[str, Any]) -> None:
        super().__init__(args, prog="lightning-unlearn tune", description=ABOUT)

    @override
    def parse_arguments(self, parser: Any, args: Any) -> None:
        args, options = without_settings(args) if isinstance(args, list) else (args, {})
        super().parse_arguments(parser, args)
        if options:
            self.config["settings"] = with_settings(plain(self.config["settings"]) or {}, options)

    @override
    def add_arguments_to_parser(self, parser: Any) -> None:
        super().add_arguments_to_parser(parser)
        parser.set_defaults({"output": Path("tune")})
        parser.add_argument(
            "--request",
            type=str | None,
            help="Name of one of the `requests`; may be left out if there is one.",
        )
        parser.add_argument(
            "--strategy",
            type=str | dict[str, Any] | None,
            help="Class, or a call that fixes arguments: `SFRon` or `'SFRon(clip=1.0)'`.",
        )
        parser.add_argument(
            "--settings",
            type=dict[str, Any] | None,
            help="What differs from the settings of the request: `--settings.max_steps 30`.",
        )
        parser.add_argument(
            "--space",
            type=str | dict[str, Any] | None,
            help="YAML file of what is varied; that of the strategy by default. See docs/tune.md.",
        )
        parser.add_argument(
            "--trials", type=int, default=20, help="How many; the first is the strategy as it is."
        )
        parser.add_argument("--at_once", type=int, default=1, help="Trials that do not know of one another.")
        parser.add_argument(
            "--retain_floor",
            type=float,
            default=0.98,
            help="Share of the retain accuracy before unlearning that must be left with every original.",
        )
        parser.add_argument("--search_seed", type=int, default=0, help="Of what is tried.")
