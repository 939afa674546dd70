"""The demonstration: train, retrain, unlearn, compare."""

from __future__ import annotations

import copy
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import CSVLogger, Logger
from rich.console import Console
from rich.markup import escape
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Subset

import lightning_unlearn
from lightning_unlearn import ForgettingMonitor, UnlearningStrategy
from lightning_unlearn._files import atomically, prepare_folder
from lightning_unlearn.demo._curves import accuracy_curves
from lightning_unlearn.demo._grid import prediction_grid
from lightning_unlearn.demo._model import DigitClassifier
from lightning_unlearn.demo._report import Row, table, write_csv, write_json
from lightning_unlearn.demo._task import Task
from lightning_unlearn.metrics.functional import membership_inference_accuracy


@dataclass(frozen=True)
class Outcome:
    """What a demonstration gave.

    Attributes:
        rows: original, unlearned and reference model.
        history: the monitor's evaluations, with plain names.
        stopped: `"target"`, `"collapse"` or `None` for the end of the run.
        steps: optimiser steps of unlearning.
    """

    rows: list[Row]
    history: list[dict[str, float]]
    stopped: str | None
    steps: int


def run(
    strategy: UnlearningStrategy,
    task: Task,
    *,
    seed: int = 0,
    output: Path | str = "unlearn-demo",
    console: Console | None = None,
) -> Outcome:
    """Train a classifier, retrain it without the forget set, unlearn that set, and put the three side by side.

    Writes into `output`: `report.json`, `models.csv`, `csv/` and `tensorboard/` (logs of the unlearning run),
    `accuracy.png`, `predictions.png`, and `original.ckpt` and `unlearned.ckpt`, the checkpoints before and after.

    Args:
        strategy: how to unlearn.
        task: what to unlearn.
        seed: of training and unlearning.
        output: folder for the results.
        console: where the table is printed, `None` for standard output; a quiet one silences the progress bars too.

    Raises:
        ConfigurationError: the folder cannot be written.
    """
    folder = prepare_folder(output)
    console = console or Console()
    console.print(f"[bold]{task.name}[/bold] ({len(task.forget)} samples) with {escape(described(strategy))}")
    models = train_models(task, seed=seed, console=console, checkpoint=folder / "original.ckpt")
    outcome, unlearned = unlearn(strategy, task, models, seed=seed, folder=folder, console=console)
    _write(folder, task, outcome, strategy, seed, (models.original, unlearned))
    console.print(table(outcome.rows, title=task.name))
    console.print(
        f"{outcome.steps} steps. The report, the logs and the pictures are in [bold]{folder}[/bold]."
    )
    return outcome


@dataclass(frozen=True)
class Models:
    """What a request starts from, and what it is compared with.

    Attributes:
        original: trained on everything.
        reference: trained on the retain set alone.
        training: seconds for the original.
        retraining: seconds for the reference.
    """

    original: DigitClassifier
    reference: DigitClassifier
    training: float
    retraining: float


def train_models(task: Task, *, seed: int, console: Console, checkpoint: Path | None = None) -> Models:
    """Train the original (saved as `checkpoint`) and the reference."""
    if task.recipe.threads is not None:
        torch.set_num_threads(task.recipe.threads)
    everything = torch.arange(len(task.train))
    original, training = _train(task, everything, seed, "train the original", console, checkpoint)
    reference, retraining = _train(task, task.retain, seed, "retrain the reference", console)
    return Models(original, reference, training, retraining)


def unlearn(
    strategy: UnlearningStrategy,
    task: Task,
    models: Models,
    *,
    seed: int,
    console: Console,
    folder: Path | None = None,
) -> tuple[Outcome, DigitClassifier]:
    """Unlearn in a copy of the original (logged into `folder`), and evaluate the three models."""
    unlearned = copy.deepcopy(
        models.original
    ).train()  # Lightning keeps the mode, and an evaluation has changed it
    unlearned.lr = task.recipe.unlearning_lr
    monitor, steps, seconds = _unlearn(task, unlearned, strategy, seed, folder, console)
    rows = [
        _row("original", task, models.original, models.training, None),
        _row("unlearned", task, unlearned, seconds, models.retraining / seconds),
        _row("reference", task, models.reference, models.retraining, 1.0),
    ]
    history = [
        {name.removeprefix("unlearn/"): value for name, value in row.items()} for row in monitor.history
    ]
    return Outcome(rows, history, monitor.stopped, steps), unlearned


def _trainer(console: Console, **kwargs: Any) -> L.Trainer:
    return L.Trainer(
        accelerator="auto",
        devices=1,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=not console.quiet,
        log_every_n_steps=1,
        **kwargs,
    )


def _train(
    task: Task, indices: Tensor, seed: int, what: str, console: Console, checkpoint: Path | None = None
) -> tuple[DigitClassifier, float]:
    console.print(f"[dim]{what}, {task.recipe.epochs} epochs on {len(indices)} samples[/dim]")
    L.seed_everything(seed, verbose=False)
    module = DigitClassifier()
    loader = DataLoader(Subset(task.train, indices.tolist()), task.recipe.batch_size, shuffle=True)
    trainer = _trainer(console, max_epochs=task.recipe.epochs, logger=False)
    start = time.perf_counter()
    trainer.fit(module, loader)
    seconds = time.perf_counter() - start
    if checkpoint is not None:
        with atomically(checkpoint) as temporary:
            trainer.save_checkpoint(temporary, weights_only=True)
    return module, seconds


def _unlearn(
    task: Task,
    module: DigitClassifier,
    strategy: UnlearningStrategy,
    seed: int,
    folder: Path | None,
    console: Console,
) -> tuple[ForgettingMonitor, int, float]:
    console.print(f"[dim]unlearn, at most {task.recipe.unlearning_steps} steps[/dim]")
    L.seed_everything(seed, verbose=False)
    monitor = ForgettingMonitor(
        task.recipe.every_n_steps,
        retain_floor=task.recipe.retain_floor,
        retain_goal=task.recipe.retain_goal,
        max_samples=task.recipe.max_samples,
    )
    steps = task.recipe.unlearning_steps
    trainer = _trainer(
        console,
        max_steps=steps,
        max_epochs=steps,
        logger=_loggers(folder) if folder else False,
        callbacks=[strategy, monitor],
    )
    start = time.perf_counter()
    trainer.fit(module, datamodule=task.datamodule(seed))
    seconds = time.perf_counter() - start
    if folder is not None:
        with atomically(folder / "unlearned.ckpt") as temporary:
            trainer.save_checkpoint(temporary, weights_only=True)
    return monitor, trainer.global_step, seconds


def _loggers(folder: Path) -> list[Logger]:
    loggers: list[Logger] = [CSVLogger(folder, name="csv", version="")]
    try:
        from lightning.pytorch.loggers import TensorBoardLogger

        loggers.append(TensorBoardLogger(folder, name="tensorboard", version=""))
    except ModuleNotFoundError:  # the extra `loggers` is not installed
        pass
    return loggers


@torch.no_grad()
def _losses_and_hits(module: DigitClassifier, data: Any) -> tuple[Tensor, Tensor]:
    module.eval()
    outputs = [(module(images), labels) for images, labels in DataLoader(data, 1000)]
    logits = torch.cat([logits for logits, _ in outputs])
    labels = torch.cat([labels for _, labels in outputs])
    return cross_entropy(logits, labels, reduction="none"), (logits.argmax(1) == labels).float()


def _row(name: str, task: Task, module: DigitClassifier, seconds: float, speedup: float | None) -> Row:
    forget_losses, forget_hits = _losses_and_hits(module, Subset(task.train, task.forget.tolist()))
    retain_losses, retain_hits = _losses_and_hits(module, Subset(task.train, task.retain.tolist()))
    unseen_losses, _ = _losses_and_hits(module, task.unseen)
    return Row(
        name,
        float(forget_hits.mean()),
        float(retain_hits.mean()),
        float(_losses_and_hits(module, task.test)[1].mean()),
        float(membership_inference_accuracy(forget_losses, unseen_losses)),
        float(forget_losses.mean()),
        float(retain_losses.mean()),
        seconds,
        speedup,
    )


def _draw_predictions(path: Path, task: Task, models: tuple[DigitClassifier, DigitClassifier]) -> None:
    forgotten = task.unseen if task.forgotten_class is not None else Subset(task.train, task.forget.tolist())
    samples = [[data[i] for i in range(min(len(data), 400))] for data in (forgotten, task.test)]
    images = torch.stack([image for group in samples for image, _ in group])
    targets = torch.stack([target for group in samples for _, target in group])
    with torch.no_grad():
        before, after = (module.eval()(images).argmax(1) for module in models)
    is_forgotten = torch.arange(len(images)) < len(samples[0])
    prediction_grid(images, targets, before, after, is_forgotten, path)


def described(strategy: UnlearningStrategy) -> str:
    """Class name and the arguments that matter, as one would write them."""
    arguments = {
        name: getattr(strategy, name)
        for name in ("alpha", "retain_weight", "when")
        if hasattr(strategy, name)
    }
    if strategy.needs_forget:
        arguments |= {"objective": strategy.objective, "batch_norm": strategy.batch_norm}
    return f"{type(strategy).__name__}({', '.join(f'{k}={v!r}' for k, v in arguments.items())})"


def _write(
    folder: Path,
    task: Task,
    outcome: Outcome,
    strategy: UnlearningStrategy,
    seed: int,
    models: tuple[DigitClassifier, DigitClassifier],
) -> None:
    reference = {
        k: v for k, v in asdict(outcome.rows[2]).items() if k.endswith("_accuracy") and k != "mia_accuracy"
    }
    accuracy_curves(outcome.history, reference, folder / "accuracy.png", title=task.name)
    _draw_predictions(folder / "predictions.png", task, models)
    write_csv(outcome.rows, folder / "models.csv")
    write_json(
        {
            "task": task.name,
            "forget_samples": len(task.forget),
            "retain_samples": len(task.retain),
            "strategy": described(strategy),
            "recipe": asdict(task.recipe),
            "seed": seed,
            "stopped": outcome.stopped,
            "steps": outcome.steps,
            "models": outcome.rows,
            "history": outcome.history,
            "versions": {
                "lightning_unlearn": lightning_unlearn.__version__,
                "lightning": L.__version__,
                "torch": torch.__version__,
            },
        },
        folder / "report.json",
    )
