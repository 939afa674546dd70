"""Several references, each trained once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
from rich.console import Console

from lightning_unlearn._checks import positive_int
from lightning_unlearn._files import alone_in, prepare_folder
from lightning_unlearn.errors import UnlearningError
from lightning_unlearn.processes import Rows, default_processes, run_all
from lightning_unlearn.reference._checks import chosen_seeds
from lightning_unlearn.reference._jobs import is_there, job_of
from lightning_unlearn.reference._prepare import Prepared, prepare
from lightning_unlearn.reference._recipe import Live, Recipe
from lightning_unlearn.reference._train import Job


def retrain_references(
    module: Callable[[], L.LightningModule],
    data: L.LightningDataModule | Callable[[], L.LightningDataModule],
    trainer: Callable[[], L.Trainer] = L.Trainer,
    *,
    count: int | None = None,
    seeds: Sequence[int] | None = None,
    processes: int | None = None,
    threads: int = 1,
    output: Path | str = "references",
    data_key: str | None = None,
    config: Mapping[str, Any] | None = None,
    console: Console | None = None,
) -> list[Path]:
    """Train models from scratch on the retain set alone: what an unlearned model is to be compared with.

    Each reference is trained in a process of its own by the user's module and Trainer, on ordinary batches of the
    retain set, each sample once an epoch. Its seed decides its first weights and the order of its samples.
    `output/reference-<seed>-<key>.ckpt` has the weights at the end of training; it loads with `weights_only=True` and by
    `load_from_checkpoint`, and says under `lightning_unlearn` what it is made of (:func:`read_stamp`). The key is a SHA-256 over the
    seed, the settings, the source of the module's class, and the retain samples in any order. A file that is there is not made
    again. After an interruption the same call goes on where the epochs end; the result is that of an undisturbed run, bit
    for bit, on the same machine with the same `threads`.

    Callbacks that unlearn or watch it are left out, and so are checkpoints, progress bars and loggers of the Trainer
    (`self.logger` accepts everything and keeps nothing). Not seen by the key: code that the class of the module calls,
    what the validation data hold, versions of packages, the device. After a change of these take another `output`.

    In a script, call this under `if __name__ == "__main__":`, since the processes import the script.

    Args:
        module: makes the untrained module; a class, a function of a module, or a `functools.partial`.
        data: an :class:`UnlearningDataModule`, or a data module whose `train_dataloader` gives a mapping with `"retain"`;
            or what makes one. It is left as it is: each process has a copy.
        trainer: makes the Trainer, for one device.
        count: number of references, ≥ 1; their seeds are 1 … count. `None` for 5, or for all `seeds`.
        seeds: the seeds, distinct, in 0 … 2³²-1.
        processes: how many run beside one another, ≥ 1; `None` for as many as there are cores for `threads`, and for one on an
            accelerator.
        threads: of torch in each process, ≥ 1. Another number may change the last bits of a result.
        output: folder for the references.
        data_key: a name for the retain data, which are then not read for the key: to be changed when they change.
        config: names all settings, where `module` or `trainer` hold objects that have no name: to be changed with them.
        console: where a terminal shows how far they are, and where is said what is left out; `None` for standard error.

    Returns:
        The files, in the order of the seeds.

    Raises:
        ConfigurationError: something does not fit; nothing has been trained then.
        UnlearningError: some references failed; the others are there.

    Example:
        >>> from functools import partial
        >>> from lightning import Trainer
        >>> from lightning_unlearn import UnlearningDataModule
        >>> from lightning_unlearn.demo import DigitClassifier, Digits
        >>> from lightning_unlearn.reference import retrain_references
        >>> data = UnlearningDataModule(Digits(), forget_class=3)
        >>> call = partial(retrain_references, partial(DigitClassifier, lr=0.01), data, partial(Trainer, max_epochs=20))
        >>> call(count=5)  # doctest: +SKIP
        [PosixPath('references/reference-1-8a1c6e2f90b7d354.ckpt'), ...]
    """
    recipe = Live(module, data, trainer, config)
    chosen = chosen_seeds(count, seeds)
    return run(
        recipe,
        chosen,
        processes=processes,
        threads=threads,
        output=output,
        data_key=data_key,
        console=console,
    )


def run(
    recipe: Recipe,
    seeds: Sequence[int],
    *,
    processes: int | None,
    threads: int,
    output: Path | str,
    data_key: str | None,
    console: Console | None,
) -> list[Path]:
    """:func:`retrain_references`, however model, data and Trainer are made."""
    positive_int("threads", threads)
    if processes is not None:
        positive_int("processes", processes)
    folder = prepare_folder(output)
    with alone_in(folder):
        return _trained(prepare(recipe, data_key), seeds, processes, threads, folder, console)


def _trained(
    prepared: Prepared,
    seeds: Sequence[int],
    processes: int | None,
    threads: int,
    folder: Path,
    console: Console | None,
) -> list[Path]:
    jobs = [job_of(prepared, seed, folder, threads) for seed in seeds]
    waiting = [job for job in jobs if not is_there(job)]
    console = console or Console(stderr=True)
    if prepared.left_out:
        console.print(
            f"Left out: {', '.join(prepared.left_out)}. References are trained from scratch: make sure that model and "
            "Trainer are those of the original training, and not of unlearning."
        )
    failures: dict[str, str] = {}
    if waiting:
        default = default_processes(threads) if prepared.on_cpu else 1
        with Rows(console, waiting) as rows:
            failures = run_all(waiting, processes or default, rows)
    if failures:
        raise UnlearningError(_said(failures, jobs))
    return [job.finished for job in jobs]


def _said(failures: Mapping[str, str], jobs: Sequence[Job]) -> str:
    logs = {job.name: job.log for job in jobs}
    said = [f"{len(failures)} of {len(jobs)} references failed; the others are there."]
    for name, failure in failures.items():
        said.append(f"{name} (all that it said is in {logs[name]}):\n{failure}")
    return "\n".join(said)
