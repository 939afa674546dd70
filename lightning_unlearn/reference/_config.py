"""The recipe that a configuration of LightningCLI holds; needs jsonargparse."""

from __future__ import annotations

import json
from pathlib import Path
from pydoc import locate
from typing import Any

import lightning as L
from jsonargparse import Namespace
from lightning.pytorch.cli import LightningCLI
from typing_extensions import override

from lightning_unlearn.data import UnlearningDataModule
from lightning_unlearn.errors import UnlearningError
from lightning_unlearn.monitor import ForgettingMonitor
from lightning_unlearn.reference._recipe import SHOW
from lightning_unlearn.strategies import UnlearningStrategy

SECTIONS = ("model", "data", "trainer", "optimizer", "lr_scheduler")
_UNLEARNING = (UnlearningStrategy, ForgettingMonitor)
# arguments of an UnlearningDataModule that a reference does not depend on, but through its samples
_ELSEWHERE = (
    *("forget", "forget_class", "forget_fraction", "forget_batch_size", "epoch", "seed", "test"),
    *("num_workers", "pin_memory"),
)


class TrainingCLI(LightningCLI):
    """Parses how a model is trained; makes nothing until it is asked.

    Args:
        args: of the command line, or a configuration that was parsed before.
        options: of the parser.
    """

    def __init__(self, args: list[str] | Namespace | dict[str, Any], **options: Any) -> None:
        super().__init__(
            args=args,
            run=False,
            save_config_callback=None,
            seed_everything_default=False,
            parser_kwargs=options,
        )

    @override
    def parse_arguments(self, parser: Any, args: Any) -> None:
        parse = parser.parse_args if isinstance(args, list) else parser.parse_object
        self.config = parse(args)
        self.config["seed_everything"] = False  # each model has a seed of its own

    @override
    def instantiate_classes(self) -> None:
        """Later, one at a time."""

    def make(self, *sections: str) -> Namespace:
        """The objects of some sections of the configuration.

        Raises:
            UnlearningError: a constructor does; jsonargparse would wrap it.
        """
        known = {name: self.config[name] for name in sections if self.config.get(name) is not None}
        instantiate = getattr(self.parser, "instantiate", None) or self.parser.instantiate_classes
        try:
            made: Namespace = instantiate(Namespace(known))  # type: ignore[no-untyped-call]
        except ValueError as error:
            reason: BaseException | None = error
            while not isinstance(reason, UnlearningError):
                if reason is None:
                    raise
                reason = reason.__cause__
            raise reason from None
        return made


class ReferenceCLI(TrainingCLI):
    """The same with the other arguments of `fit`, and the options of `reference`."""

    def __init__(self, args: list[str]) -> None:
        about = "Train models from scratch on the retain set alone, for comparison with an unlearned model."
        super().__init__(args, prog="lightning-unlearn reference", description=about)

    @override
    def add_arguments_to_parser(self, parser: Any) -> None:
        of_fit = {"model", "train_dataloaders", "val_dataloaders", "datamodule"}
        parser.add_method_arguments(
            L.Trainer, "fit", skip=of_fit
        )  # so that its files can be taken as they are
        parser.add_argument("--original", type=str | None, help="Not used: references start from scratch.")
        parser.add_argument("--expected", type=dict[str, Any] | None, help="Not used: it is of unlearning.")
        parser.add_argument("--count", type=int | None, help="Number of references; 5 without `--seeds`.")
        parser.add_argument("--seeds", type=list[int] | None, help="Their seeds; 1, 2, ... by default.")
        parser.add_argument(
            "--processes", type=int | None, help="How many at a time; as many as there are cores by default."
        )
        parser.add_argument("--threads", type=int, default=1, help="Of torch in each process.")
        parser.add_argument("--output", type=Path, default=Path("references"), help="Folder for them.")
        parser.add_argument(
            "--data_key",
            type=str | None,
            help="Name of the retain data, which are then not read for the key.",
        )


class Configured:
    """Recipe of a configuration.

    Args:
        config: as parsed; other sections than those that say how a model is trained are left out.
    """

    def __init__(self, config: Namespace) -> None:
        known = {name: config[name] for name in SECTIONS if config.get(name) is not None}
        self._config = Namespace(known)  # type: ignore[no-untyped-call]
        self._cli: TrainingCLI | None = None

    @override
    def __getstate__(self) -> dict[str, Any]:
        return {"_config": self._config, "_cli": None}

    def data(self) -> L.LightningDataModule:
        made: L.LightningDataModule = self._parsed().make("data").get("data")
        return made

    def module(self) -> L.LightningModule:
        cli = self._parsed()
        cli.config_init = cli.make("model", "optimizer", "lr_scheduler")
        cli.model = cli.config_init.get("model")
        cli._add_configure_optimizers_method_to_model(None)
        module: L.LightningModule = cli.model
        return module

    def trainer(self) -> L.Trainer:
        cli = self._parsed()
        cli.config_init = cli.make("trainer")
        return cli.instantiate_trainer()

    def described(self, data: L.LightningDataModule) -> Any:
        cli = self._parsed()
        plain = json.loads(cli.parser.dump(cli.config, "json", False))
        sections = {name: plain.get(name) for name in SECTIONS}
        for name in SHOW:
            sections["trainer"].pop(name, None)
        callbacks = sections["trainer"].get("callbacks") or []
        callbacks = callbacks if isinstance(callbacks, list) else [callbacks]
        sections["trainer"]["callbacks"] = [c for c in callbacks if not _is(c["class_path"], _UNLEARNING)]
        if isinstance(data, UnlearningDataModule):
            for name in _ELSEWHERE:
                sections["data"].get("init_args", {}).pop(name, None)
        return sections

    def _parsed(self) -> TrainingCLI:
        if self._cli is None:
            self._cli = TrainingCLI(self._config)
        return self._cli


def _is(class_path: str, classes: tuple[type, ...]) -> bool:
    found = locate(class_path)
    return isinstance(found, type) and issubclass(found, classes)
