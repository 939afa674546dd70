"""What the audit says of models that only seem to have forgotten, and of one that was retrained.

python examples/benchmarks/audit_fooled.py
python examples/benchmarks/audit_fooled.py --data mnist --data-dir DIR
"""

import argparse
import time
from pathlib import Path

import lightning as L
import torch
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader, Subset, TensorDataset

from lightning_unlearn.audit import audit
from lightning_unlearn.audit._quantise import quantised
from lightning_unlearn.demo import MNIST, DigitClassifier, Digits, impostors

EPOCHS = {"digits": 20, "mnist": 15}

# Written down before the first run; a set where more than one word is true. One thing was changed after it: a model that
# had lost 7 points of test accuracy to flipped labels was called `collapsed`, which began at 5 points then. It now means what
# it says, the loss of half of what lies above chance.
RIGHT = {
    "class": {
        "retrained": {"forgotten"},
        "nothing": {"not forgotten"},
        "mask_the_logit": {"hidden"},
        "retrain_the_last_layer": {"hidden"},
        "ascend_until_collapse": {"collapsed"},
        "flip_the_labels": {"over-forgotten", "hidden"},
        "stop_at_the_border": {"revived"},
        "stop_at_the_border, an epoch later": {"not forgotten"},
        "hide_from_rounding": {"revived"},
        "hide_from_rounding, 8 bits": {"revived"},
        "hide_from_rounding, 4 bits": {"not forgotten"},
    },
    "samples": {
        "retrained": {"forgotten"},
        "nothing": {"not forgotten"},
        "ascend_until_collapse": {"collapsed"},
        "flip_the_labels": {"over-forgotten"},
    },
}


def fit(data, epochs, seed):
    """Train from scratch."""
    L.seed_everything(seed, verbose=False)
    module = DigitClassifier()
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    L.Trainer(max_epochs=epochs, accelerator="cpu", **quiet).fit(module, DataLoader(data, 64, shuffle=True))
    return module


def an_epoch_later(model, sides):
    """Trained on the retain set for an epoch, by the optimiser of the module."""
    images, labels = sides.retain
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    L.seed_everything(sides.seed, verbose=False)
    data = DataLoader(TensorDataset(images, labels), 64, shuffle=True)
    L.Trainer(max_epochs=1, accelerator="cpu", **quiet).fit(model.train(), data)
    return model


def candidates(kind, original, sides, retrained):
    """Name and model, one after the other."""
    yield "retrained", retrained
    for name in RIGHT[kind]:
        if "," in name or name == "retrained":
            continue
        model = getattr(impostors, name)(original, sides)
        yield name, model
        if name == "hide_from_rounding":
            for bits in (8, 4):
                yield f"{name}, {bits} bits", quantised(model, bits)
        if name == "stop_at_the_border":
            yield f"{name}, an epoch later", an_epoch_later(model, sides)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=["digits", "mnist"], default="digits")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument(
        "--samples", type=int, default=3000, help="of MNIST, training and test, the first ones"
    )
    parser.add_argument("--references", type=int, default=5)
    parser.add_argument("--classes", type=int, nargs="*", default=[3])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", default=["class", "samples"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    train, test = (
        MNIST(arguments.data_dir, part) if arguments.data == "mnist" else Digits(part)
        for part in (True, False)
    )
    if arguments.data == "mnist":
        for part in (train, test):
            part.images, part.targets = part.images[: arguments.samples], part.targets[: arguments.samples]
    everything = TensorDataset(train.images, train.targets)
    epochs = EPOCHS[arguments.data]
    original = fit(everything, epochs, arguments.seed)
    wrong = 0
    for kind in arguments.kinds:
        for digit in arguments.classes if kind == "class" else [None]:
            generator = torch.Generator().manual_seed(arguments.seed)
            tenth = torch.randperm(len(train), generator=generator) < len(train) // 10
            forget = train.targets == digit if kind == "class" else tenth
            sides = impostors.Sides(
                (train.images[forget], train.targets[forget]),
                (train.images[~forget], train.targets[~forget]),
                arguments.seed,
            )
            rows = torch.arange(len(train))
            data = {
                "forget": Subset(train, rows[forget].tolist()),
                "retain": Subset(train, rows[~forget].tolist()),
                "test": test,
            }
            start = time.perf_counter()
            retain = TensorDataset(*sides.retain)
            *references, retrained = (
                fit(retain, epochs, 1000 + arguments.seed * 100 + number)
                for number in range(arguments.references + 1)
            )
            print(
                f"{arguments.references + 1} models retrained in {time.perf_counter() - start:.0f} s",
                flush=True,
            )
            title = (
                f"{arguments.data}, {'digit ' + str(digit) if kind == 'class' else 'a tenth of the samples'}"
            )
            table = Table("model", "forget", "retain", "test", "verdict", "alone", "right", "s", title=title)
            for name, model in candidates(kind, original, sides, retrained):
                found, seconds = [], []
                for known in (references, []):
                    start = time.perf_counter()
                    report = audit(
                        DigitClassifier(),
                        data,
                        original=original,
                        unlearned=model,
                        references=known,
                        progress=False,
                    )
                    seconds.append(time.perf_counter() - start)
                    found.append(report)
                verdict = found[0].verdict.name
                right = verdict in RIGHT[kind][name]
                wrong += not right
                shares = {
                    metric.side: metric.values["unlearned"].value
                    for metric in found[0].metrics
                    if metric.name == "SideAccuracy"
                }
                cells = [f"{shares[side]:.1%}" for side in ("forget", "retain", "test")]
                table.add_row(
                    name,
                    *cells,
                    verdict,
                    found[1].verdict.name,
                    "yes" if right else "NO",
                    f"{seconds[0]:.0f}",
                )
                rejected = [f"{test.name} {test.statistic:+.1f}" for test in found[0].tests if test.rejected]
                print(name, verdict, found[1].verdict.name, "; ".join(rejected), flush=True)
            Console(width=120).print(table)
    print(f"{wrong} wrong")


if __name__ == "__main__":
    main()
