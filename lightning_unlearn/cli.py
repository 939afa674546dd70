"""The command line: `lightning-unlearn demo`, `audit`, `reference`, `compare`, `tune`, and LightningCLI with the strategies by class name."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from typing_extensions import override

from lightning_unlearn import UnlearningStrategy
from lightning_unlearn._expected import compare, expected_of
from lightning_unlearn._weights_file import read_weights
from lightning_unlearn.errors import ConfigurationError, UnlearningError

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser
    from rich.console import Console

    from lightning_unlearn.demo import Task

_CHOSEN_BY_LIGHTNING = ("best", "last", "hpc", "registry")
_MISSING = "`lightning-unlearn` needs the extra `cli`, found it not installed. Run `pip install 'lightning-unlearn[cli]'`."


class UnlearnCLI(LightningCLI):
    """LightningCLI with two more arguments.

    `--original` is the checkpoint of the model that must forget. Only its weights are loaded. (`--ckpt_path` is for resuming
    an interrupted run: with the checkpoint of a finished training it would bring back the step counters too, and no step
    would be taken.)

    `--expected` says what logged metrics should be at the end of a fit: `value` and `tolerance`, by name. Each is printed
    beside what was found, and one that is outside raises an :class:`UnlearningError`.
    """

    @override
    def add_arguments_to_parser(self, parser: Any) -> None:
        parser.add_argument("--original", type=Path, help="Checkpoint of the model that must forget.")
        parser.add_argument(
            "--expected",
            type=dict[str, Any] | None,
            help="After a fit: `value` and `tolerance` of logged metrics, by name; else the exit status is 1.",
        )

    def before_fit(self) -> None:
        """LightningCLI calls this between instantiation and `Trainer.fit`, and its likes before the others."""
        config = self.config[self.subcommand]
        self._expected = expected_of(config.expected)
        resumed = config.get("ckpt_path")
        if resumed is not None and not _is_there(str(resumed)):
            raise ConfigurationError(
                f"`--ckpt_path` must be the checkpoint of an interrupted run, found none at {resumed}. To start from a trained model, "
                "pass `--original`."
            )
        callbacks: list[Any] = self.trainer.callbacks  # type: ignore[attr-defined]  # set by one of its connectors
        if config.original is not None:
            load_weights(self.model, config.original)
        elif resumed is None and any(isinstance(c, UnlearningStrategy) for c in callbacks):
            rank_zero_info(
                f"Without `--original`, {type(self.model).__name__} has the weights that its class gives it."
            )

    before_validate = before_test = before_predict = before_fit

    def after_fit(self) -> None:
        """LightningCLI calls this after `Trainer.fit`."""
        compare(self._expected, self.trainer)


def _is_there(checkpoint: str) -> bool:
    """Or somebody else will say: of a name that Lightning resolves, of a file elsewhere."""
    return checkpoint in _CHOSEN_BY_LIGHTNING or "://" in checkpoint or Path(checkpoint).exists()


def load_weights(module: torch.nn.Module, path: Path) -> None:
    """Load the weights of a Lightning checkpoint, or of a bare state dict, into `module`.

    Raises:
        ConfigurationError: the file is not there, needs arbitrary pickle, or holds weights of another module.
    """
    if not Path(path).is_file():
        raise ConfigurationError(
            f"`--original` must be the file of a trained model, found none at {path}. `lightning-unlearn demo` writes the "
            "one that the examples start from, `unlearn-demo/original.ckpt`; examples/recipes/originals/ has those of the recipes."
        )
    try:
        module.load_state_dict(read_weights(path, "--original"))
    except (RuntimeError, AttributeError, TypeError) as error:  # the latter two: entries that are no tensors
        raise ConfigurationError(
            f"`--original` must hold the weights of {type(module).__name__}, found other ones in {path}: {error}"
        ) from error


def demo_parser() -> ArgumentParser:
    """Parser of `lightning-unlearn demo`."""
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(
        prog="lightning-unlearn demo",
        description="Train a small classifier on handwritten digits, make it forget some of them, and compare it with "
        "one that never saw them.",
    )
    parser.add_subclass_arguments(UnlearningStrategy, "strategy", required=False, help="How to unlearn.")
    parser.set_defaults({"strategy": {"class_path": "lightning_unlearn.GradientSurgery"}})
    parser.add_argument("--forget-class", type=int, default=3, help="The class to be forgotten, 0 to 9.")
    parser.add_argument(
        "--forget-fraction", type=float, help="Share of random samples to be forgotten instead."
    )
    parser.add_argument(
        "--data",
        choices=["digits", "mnist", "fashion_mnist"],
        default="digits",
        help="Of scikit-learn, or (Fashion-)MNIST.",
    )
    parser.add_argument("--data-dir", type=Path, help="Folder with the idx files of (Fashion-)MNIST.")
    parser.add_argument("--seed", type=int, default=0, help="Of training, unlearning and the random choice.")
    parser.add_argument("--output", type=Path, default=Path("unlearn-demo"), help="Folder for the results.")
    return parser


def parse_demo(arguments: list[str]) -> tuple[UnlearningStrategy, Task, Any]:
    """Strategy, task and options; what is not said about the strategy is taken from the task's recipe."""
    from lightning_unlearn.demo import make_task

    parser = demo_parser()
    options = parser.parse_args(arguments)
    explicit = parser.parse_args(arguments, defaults=False).as_dict().get("strategy") or {}
    chosen = options.pop("strategy")
    task = make_task(
        options.data, options.data_dir, options.forget_class, options.forget_fraction, options.seed
    )
    # as dictionaries: the keys of a jsonargparse namespace are an iterator, over leaves
    known, given = (part.get("init_args", {}) for part in (chosen.as_dict(), explicit))
    # a recipe's weight goes with its objective: who has an objective of his own has a weight of his own
    recipe = task.recipe.strategy if "objective" in known else {}
    for name in known.keys() - given.keys():
        if name in recipe:
            chosen.init_args[name] = recipe[name]
        else:  # it may be the default of another strategy's argument of that name
            del chosen.init_args[name]
    return _instantiated(parser, chosen), task, options


def demo(arguments: list[str], console: Console | None = None) -> None:
    """Run the demonstration."""
    from lightning_unlearn.demo import run

    strategy, task, options = parse_demo(arguments)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings(
            "ignore", message=".*no `val_dataloader`.*"
        )  # the demo validates by the monitor
        warnings.filterwarnings(
            "ignore", message=".*LeafSpec.*", category=FutureWarning
        )  # of Lightning's own loaders
        run(strategy, task, seed=options.seed, output=options.output, console=console)


def _instantiated(parser: ArgumentParser, chosen: Any) -> UnlearningStrategy:
    config = parser.get_defaults()
    config.strategy = chosen
    instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes  # the older name
    strategy: UnlearningStrategy = instantiate(config).strategy
    return strategy


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `lightning-unlearn`."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        import jsonargparse  # noqa: F401  # LightningCLI's own message would name another package's extra
    except ModuleNotFoundError:
        sys.exit(_MISSING)
    if (
        os.getcwd() not in sys.path
    ):  # as with `python -m`: a configuration names classes of the user's modules
        sys.path.insert(0, os.getcwd())
    try:
        if given[:1] == ["demo"]:
            demo(given[1:])
        elif given[:1] == ["audit"]:
            from lightning_unlearn.audit._command import command

            command(given[1:])
        elif given[:1] == ["reference"]:
            from lightning_unlearn.reference._command import reference

            reference(given[1:])
        elif given[:1] == ["compare"]:
            from lightning_unlearn.compare._command import compare

            compare(given[1:])
        elif given[:1] == ["tune"]:
            from lightning_unlearn.tune._command import tune

            tune(given[1:])
        else:  # `None` if there are none: it warns of arguments beside those of the process
            UnlearnCLI(
                args=arguments,
                save_config_kwargs={"overwrite": True},
                parser_kwargs={
                    "description": "LightningCLI; see also `lightning-unlearn demo --help`, and `audit`, `reference`, "
                    "`compare` and `tune` in place of `demo`."
                },
            )
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)
    except (UnlearningError, ValueError) as error:
        reason: BaseException | None = error
        while not isinstance(reason, UnlearningError):  # jsonargparse wraps what a constructor raises
            if reason is None:
                raise
            reason = reason.__cause__
        sys.exit(f"error: {reason}")
