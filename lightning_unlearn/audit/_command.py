"""`lightning-unlearn audit`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch import LightningDataModule, LightningModule
from rich.console import Console

from lightning_unlearn.audit._audit import audit
from lightning_unlearn.audit._identity import digest_of
from lightning_unlearn.audit._options import named
from lightning_unlearn.audit._report import AuditReport
from lightning_unlearn.audit._sides import loaders_of
from lightning_unlearn.audit._verify import read_report, verify_digests
from lightning_unlearn.errors import ConfigurationError

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

NOT_SHOWN = 3  # exit status of every verdict but `forgotten`
_OWN: set[str | int] = {
    "module",
    "data",
    "original",
    "unlearned",
    "references",
    "output",
    "loggers",
    "console",
}
_ABOUT = (
    "Say whether a model has forgotten, and write the evidence: report.json, report.md, report.html. The exit status is 0 "
    f"for `forgotten`, {NOT_SHOWN} for every other verdict, 1 for an error."
)


def parser() -> ArgumentParser:
    """Parser of `lightning-unlearn audit`."""
    from jsonargparse import ArgumentParser

    own = ArgumentParser(prog="lightning-unlearn audit", description=_ABOUT)
    own.add_argument("--config", action="config", help="YAML file with these arguments.")
    own.add_argument(
        "--verify",
        type=Path,
        help="A report.json: say which weights, and with `--data` which samples, have changed.",
    )
    own.add_subclass_arguments(LightningModule, "model", required=False, help="The module.")
    own.add_subclass_arguments(LightningDataModule, "data", required=False, help="An `UnlearningDataModule`.")
    own.add_argument("--original", type=Path, help="Checkpoint from before unlearning.")
    own.add_argument("--unlearned", type=Path, help="Checkpoint to be judged.")
    own.add_argument(
        "--references",
        type=list[Path],
        default=[],
        help="Checkpoints of retrained models, or folders of them.",
    )
    own.add_argument("--output", type=Path, default=Path("audit"), help="Folder for the report.")
    own.add_function_arguments(audit, skip=_OWN, as_group=False)
    return own


def command(arguments: list[str]) -> None:
    """Audit, or verify a report.

    Raises:
        ConfigurationError: something does not fit.
        SystemExit: the arguments do not parse, the verdict is not `forgotten`, or something has changed.
    """
    own = parser()
    config = own.parse_args(arguments)
    instantiate = getattr(own, "instantiate", None) or own.instantiate_classes  # the older name
    given = instantiate(config).as_dict()
    given.pop("config", None)
    report, module, data = given.pop("verify"), given.pop("model", None), given.pop("data", None)
    if report is not None:
        _verify(report, data, given)
        return
    for name, value in {
        "model": module,
        "data": data,
        "original": given["original"],
        "unlearned": given["unlearned"],
    }.items():
        if value is None:
            raise ConfigurationError(
                f"`--{name}` must be given, found nothing. See `lightning-unlearn audit --help`."
            )
    given["references"] = checkpoints(given["references"])
    output = given.pop("output")
    found = audit(module, data, output=output, **given)
    _say(found, output)
    if found.verdict.name != "forgotten":
        sys.exit(NOT_SHOWN)


def checkpoints(paths: Sequence[Path]) -> list[Path]:
    """The files, and in place of each folder its checkpoints.

    Raises:
        ConfigurationError: a folder has none.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.ckpt")) if path.is_dir() else [path]
        if not inside:
            raise ConfigurationError(
                f"`--references` must name checkpoints, or folders with `*.ckpt` in them, found none in {path}. "
                "`lightning-unlearn reference` trains some."
            )
        found += inside
    return found


def _say(report: AuditReport, output: Path) -> None:
    console = Console()
    console.print(f"[bold]{report.verdict.name}[/bold]: {report.verdict.sentence}", highlight=False)
    for reason in report.verdict.reasons:
        console.print(f"- {reason}", highlight=False, markup=False)
    console.print(
        f"The evidence is in {output / 'report.html'}.", highlight=False, markup=False, soft_wrap=True
    )


def _verify(report: Path, data: Any, options: dict[str, Any]) -> None:
    """Compare digests; samples are known by whatever told them apart in the audit."""
    recorded = read_report(report)
    then, now = recorded.configuration.get("identify"), named(options["identify"])
    if data is not None and then != now:
        raise ConfigurationError(
            f"`--identify` must be what the audit was done with, {then}, found {now}. Other identifiers have other digests."
        )
    loaders = {} if data is None else loaders_of(data, options["batch_size"])
    digests = {name: digest_of(loader, options["identify"]) for name, loader in loaders.items()}
    differences = verify_digests(report, digests)
    for difference in differences:
        print(difference)
    if differences:
        sys.exit(1)
    unseen = [f"weights of the {model.name}" for model in recorded.models if model.source is None]
    unseen += [f"samples of the {side.name} side" for side in recorded.sides if side.name not in digests]
    print(f"All that was looked at is as it was when {report} was made.")
    if unseen:
        print(f"Not looked at: {', '.join(unseen)}.")
    if loaders and len(digests) < len(recorded.sides):
        sys.exit(1)
