"""A language model of characters forgets one play: the same strategies as for images.

    python examples/char_language_model.py [--text tinyshakespeare.txt] [--forget "Romeo and Juliet"] [--seeds 1 2 3]
        [--strategies GradientDifference GradientSurgery LUR] [--json FILE]

Without `--text` the plays are made up and small. The last tenth of every play is never trained on. Compared are the
original, which was trained on all plays, a model retrained without the one, and what unlearning makes of the original, all
with the same number of steps: loss in nats a character (its exponential is the perplexity) and share of characters that are
named right, on the play as it was trained on, on its unread tenth, on the other plays, and on their unread tenths. The
gap is the mean distance of the four losses from those of the retrained model. Seconds are those of the processor: one
thread's own work, whatever else the machine does.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import lightning as L
import torch
from _char_gru import CharGRU
from _plays import Windows, made_up_plays, split_into_plays
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Subset

from lightning_unlearn import (
    LUR,
    FineTune,
    GradientAscent,
    GradientDifference,
    GradientSurgery,
    Holdout,
    UnlearningDataModule,
    UnlearningStrategy,
)

LENGTH = 96
TEXTS = ("the play", "its unread tenth", "other plays", "their unread tenths")
LOSSES = tuple(f"{text}: loss" for text in TEXTS)
QUIET = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


@dataclass(frozen=True)
class Settings:
    """How the models are trained, and what is forgotten by: steps, step size, weight, and how much above the original's
    loss on unread tenths the play's loss is raised. Found on another play and another seed than the reported ones.
    """

    units: int
    epochs: int
    steps: int
    margin: float
    lr: float = 0.002
    alpha: float = 1.5


SHAKESPEARE = Settings(units=192, epochs=6, steps=60, margin=0.2)
MADE_UP = Settings(units=96, epochs=15, steps=40, margin=0.9)
STRATEGIES: dict[str, Callable[[float, float], UnlearningStrategy]] = {
    "fine-tuning": lambda level, alpha: FineTune(),
    "ascent": lambda level, alpha: GradientAscent(),
    "GradientDifference": lambda level, alpha: GradientDifference(alpha, objective=Holdout(level)),
    "GradientSurgery": lambda level, alpha: GradientSurgery(alpha, objective=Holdout(level)),
    "LUR": lambda level, alpha: LUR(forget_weight=alpha, objective=Holdout(level)),
}
CONTROLS = ("fine-tuning", "ascent")
KINDS = {"epochs": int, "steps": int, "margin": float, "lr": float, "alpha": float}


class Data:
    """The plays, each cut into what is trained on and its last tenth."""

    def __init__(self, plays: dict[str, str], forget: str) -> None:
        alphabet = "".join(sorted(set("".join(plays.values()))))
        read = {title: text[: len(text) * 9 // 10] for title, text in plays.items()}
        unread = {title: text[len(text) * 9 // 10 :] for title, text in plays.items()}
        others = [title for title in plays if title != forget]
        self.characters = len(alphabet)
        self.train = Windows(list(read.values()), alphabet, LENGTH)
        self.forgotten = self.train.text_of == list(plays).index(forget)
        self.retain = Subset(self.train, (~self.forgotten).nonzero().flatten().tolist())
        self.texts = {
            TEXTS[0]: Subset(self.train, self.forgotten.nonzero().flatten().tolist()),
            TEXTS[1]: Windows([unread[forget]], alphabet, LENGTH),
            TEXTS[2]: self.retain,
            TEXTS[3]: Windows([unread[title] for title in others], alphabet, LENGTH),
        }


@torch.no_grad()
def evaluate(module: CharGRU, data) -> tuple[float, float]:
    module.eval()
    outputs = [(module(x), y) for x, y in DataLoader(data, 256)]
    logits, following = (torch.cat(parts) for parts in zip(*outputs, strict=True))
    return cross_entropy(logits, following).item(), (logits.argmax(1) == following).float().mean().item()


def train(data, characters: int, settings: Settings, seed: int) -> tuple[CharGRU, float]:
    L.seed_everything(seed, verbose=False)
    module = CharGRU(characters, settings.units)
    trainer = L.Trainer(max_epochs=settings.epochs, gradient_clip_val=1.0, **QUIET)
    start = time.process_time()
    trainer.fit(module, DataLoader(data, 32, shuffle=True))
    return module, time.process_time() - start


def unlearn(original: CharGRU, strategy: UnlearningStrategy, data: Data, settings: Settings, seed: int):
    L.seed_everything(seed, verbose=False)
    module = copy.deepcopy(original).train()
    module.lr = settings.lr
    sides = UnlearningDataModule(data.train, data.forgotten, batch_size=32, seed=seed)
    trainer = L.Trainer(
        max_steps=settings.steps, max_epochs=-1, gradient_clip_val=1.0, callbacks=[strategy], **QUIET
    )
    start = time.process_time()
    trainer.fit(module, datamodule=sides)
    return module, time.process_time() - start


def run(data: Data, settings: Settings, seed: int, names: list[str]) -> dict[str, dict[str, float]]:
    """One row for each model."""
    rows = {}

    def report(name: str, module: CharGRU, seconds: float) -> None:
        row = rows[name] = {"seconds": seconds}
        for text, windows in data.texts.items():
            row[f"{text}: loss"], row[f"{text}: right"] = evaluate(module, windows)
        print(f"seed {seed}", f"{name:20s}", *(f"{value:8.3f}" for value in row.values()), flush=True)

    original, seconds = train(data.train, data.characters, settings, seed)
    report("original (do nothing)", original, seconds)
    report("retrained", *train(data.retain, data.characters, settings, 100 + seed))
    level = rows["original (do nothing)"][f"{TEXTS[3]}: loss"] + settings.margin
    for name in names:
        strategy = STRATEGIES[name](level, settings.alpha)
        report(name, *unlearn(original, strategy, data, settings, seed))
    for row in rows.values():
        row["gap"] = statistics.mean(
            abs(row[loss] - rows["retrained"][loss]) for loss in row if loss in LOSSES
        )
    return rows


def table(runs: list[dict[str, dict[str, float]]]) -> str:
    """Mean ± standard deviation over seeds, as Markdown."""

    def cell(name: str, column: str, digits: int, factor: float = 1.0) -> str:
        values = [factor * rows[name][column] for rows in runs]
        spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
        return f"{statistics.mean(values):.{digits}f}{spread}"

    heads = [f"{text}: {what}" for text in TEXTS for what in ("loss", "right, %")]
    lines = [f"| model | {' | '.join(heads)} | gap | seconds |", f"|{'---|' * (len(heads) + 3)}"]
    for name in runs[0]:
        cells = []
        for text in TEXTS:
            cells += [cell(name, f"{text}: loss", 3), cell(name, f"{text}: right", 1, 100)]
        lines.append(
            f"| {name} | {' | '.join(cells)} | {cell(name, 'gap', 3)} | {cell(name, 'seconds', 1)} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", type=Path, help="tinyshakespeare.txt")
    parser.add_argument("--forget", help="title of the play")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--strategies", nargs="*", choices=[n for n in STRATEGIES if n not in CONTROLS])
    parser.add_argument("--json", type=Path, help="write all numbers here")
    for name, kind in KINDS.items():
        parser.add_argument(f"--{name}", type=kind, help="see `Settings`")
    chosen = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    plays = made_up_plays() if chosen.text is None else split_into_plays(chosen.text.read_text())
    forget = chosen.forget or ("Play 1" if chosen.text is None else "Romeo and Juliet")
    if forget not in plays:
        parser.error(f"`--forget` must be one of {', '.join(plays)}, found {forget}.")
    given = {name: value for name in KINDS if (value := getattr(chosen, name)) is not None}
    settings = replace(MADE_UP if chosen.text is None else SHAKESPEARE, **given)
    data = Data(plays, forget)
    names = [*CONTROLS, *(chosen.strategies or [n for n in STRATEGIES if n not in CONTROLS])]
    runs = [run(data, settings, seed, names) for seed in chosen.seeds]
    print(f"\nForgetting {forget}: {settings}, seeds {chosen.seeds}\n\n{table(runs)}")
    if chosen.json:
        chosen.json.write_text(json.dumps(runs, indent=1))


if __name__ == "__main__":
    main()
