"""The configurations in this folder, from the comparisons that come with the package: one for each strategy and request.

    python examples/recipes/write.py

Trainer, data, request, settings and strategy are those of `lightning_unlearn/compare/tasks/` (and `examples/cifar10/compare.yaml`, if it
is there). The block `expected:` of a file is kept; `python examples/benchmarks/recipes.py --write` measures it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from lightning_unlearn import UnlearningStrategy
from lightning_unlearn.compare._classes import class_of, path_of
from lightning_unlearn.compare._settings import Settings, settings_of
from lightning_unlearn.compare._spoken import spoken
from lightning_unlearn.compare._tasks import FOLDER, TASKS

HERE = Path(__file__).parent
CIFAR10 = HERE.parent / "cifar10" / "compare.yaml"
EXPECTED = "\nexpected:\n"  # the last block of a file
# of a task: its data in words, where their files are, and published weights
OF = {
    "digits": "of scikit-learn's digits",
    "mnist": "of MNIST",
    "fashion_mnist": "of Fashion-MNIST",
    "cifar10": "of a part of CIFAR-10",
}
FILES = {
    "mnist": "root DIR",
    "fashion_mnist": "root DIR",
    "cifar10": "file DIR/cifar10_subset.npz",
}
WEIGHTS = {"cifar10": "resnet20-12fca82f.th"}
KINDS = {"forget_class": "class", "forget_fraction": "random"}
ORIGINAL = "unlearn-demo/originals/{}.ckpt"
SEED = 0


def sources() -> dict[str, Path]:
    """Files of the comparisons, by the name of their data."""
    own = {"cifar10": CIFAR10} if CIFAR10.is_file() else {}
    return {task: FOLDER / f"{task}.yaml" for task in TASKS} | own


def recipes(folder: Path = HERE) -> dict[Path, str]:
    """Every file that there should be, and what should be in it.

    Args:
        folder: whose files' blocks `expected:` are kept.
    """
    texts = {}
    for task, source in sources().items():
        comparison = yaml.safe_load(source.read_text("utf-8"))
        if task not in WEIGHTS:
            texts[f"originals/{task}.yaml"] = original(task, comparison)
        for name, text in unlearnings(task, comparison):
            if name in texts:
                raise ValueError(f"Two entries would be {name}: give one of them a `name` of its own.")
            texts[name] = text
    return {folder / name: text + expected(folder / name) for name, text in texts.items()}


def expected(path: Path) -> str:
    """The block at the end of a file that is there."""
    text = path.read_text("utf-8") if path.is_file() else ""
    return EXPECTED[1:] + text.partition(EXPECTED)[2] if EXPECTED in text else ""


def original(task: str, comparison: Mapping[str, Any]) -> str:
    data = comparison["data"]["init_args"]
    options = "".join(f" --data.{side}_dataset.{FILES[task]}" for side in ("train", "val") if task in FILES)
    checkpoint = Path(ORIGINAL.format(task))
    keep = {"dirpath": str(checkpoint.parent), "filename": checkpoint.stem, "enable_version_counter": False}
    config = {
        "seed_everything": SEED,
        "model": comparison["model"],
        "data": {
            "class_path": "lightning.LightningDataModule.from_datasets",
            "init_args": {
                "train_dataset": data["train"],
                "val_dataset": data["test"],
                "batch_size": data["batch_size"],
            },
        },
        "trainer": {
            **comparison["trainer"],
            "callbacks": [{"class_path": "lightning.pytorch.callbacks.ModelCheckpoint", "init_args": keep}],
            "logger": logger(task),
        },
    }
    said = [
        f"Trains the classifier {OF[task]} that the recipes start from, {checkpoint}:",
        "",
        f"  lightning-unlearn fit --config examples/recipes/originals/{task}.yaml{options}",
    ]
    return commented(said, config)


def unlearnings(task: str, comparison: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and content of each recipe of a comparison."""
    for request in comparison["requests"]:
        kind = next((word for key, word in KINDS.items() if key in request["forget"]), "samples")
        for entry in request["entries"]:
            strategy = strategy_of(entry["strategy"])
            method = entry.get("name") or strategy["class_path"].rpartition(".")[2]
            name = f"{task}_{kind}_{re.sub(r'[^0-9A-Za-z]+', '_', method)}"
            settings = settings_of(request.get("settings"), entry.get("settings"), name)
            config = unlearning(task, comparison, request["forget"], settings, strategy, name)
            yield f"{name}.yaml", commented(about(task, request["name"], kind, method, name), config)


def about(task: str, request: str, kind: str, method: str, name: str) -> list[str]:
    sides = ("train", "test") if task in FILES else ()
    options = [f"--data.{side}.{FILES[task]}" for side in sides]
    if task in WEIGHTS:
        options.insert(0, f"--model.weights DIR/{WEIGHTS[task]}")
        start = ["from the published weights: see examples/cifar10/forget_a_class.yaml."]
    else:
        start = [f"from the model that examples/recipes/originals/{task}.yaml trains."]
    command = f"lightning-unlearn fit --config examples/recipes/{name}.yaml"
    said = [
        f"{method} forgets {request} {OF[task]}, in the root of the repository:",
        "",
        *" \\\n    ".join([f"  {command}", *options]).splitlines(),
        "",
        *start,
    ]
    if kind == "class":
        said += ["The test data have the class, too: a model without it has those samples wrong."]
    return said


def unlearning(
    task: str,
    comparison: Mapping[str, Any],
    forget: Mapping[str, Any],
    settings: Settings,
    strategy: Mapping[str, Any],
    name: str,
) -> dict[str, Any]:
    model, data = comparison["model"], comparison["data"]
    weights = {"weights": WEIGHTS[task]} if task in WEIGHTS else {}
    own = {**weights, **model.get("init_args", {}), **settings.model}
    sizes = {"batch_size": settings.batch_size, "forget_batch_size": settings.forget_batch_size}
    given = {name: size for name, size in sizes.items() if size is not None}
    # a comparison without a monitor runs to the end: one that only looks
    looks = {"every_n_steps": settings.max_steps, "target": None, "retain_floor": 0.0}
    monitor = looks if settings.monitor is None else dict(settings.monitor)
    length = {"max_steps": settings.max_steps, "max_epochs": -1, "log_every_n_steps": 1}
    start = {} if task in WEIGHTS else {"original": ORIGINAL.format(task)}
    return {
        "seed_everything": SEED,
        **start,
        "model": {**model, "init_args": own},
        "data": {**data, "init_args": {**data["init_args"], **forget, **given}},
        "trainer": {
            **comparison["trainer"],
            **length,
            "callbacks": [
                {"class_path": "lightning_unlearn.ForgettingMonitor", "init_args": monitor},
                strategy,
            ],
            "logger": logger(name),
        },
    }


def strategy_of(given: Any) -> dict[str, Any]:
    plain = spoken(given) if isinstance(given, str) else given
    path = path_of(class_of(plain["class_path"], UnlearningStrategy, "`strategy`"))
    arguments = plain.get("init_args")
    return {"class_path": path, **({"init_args": arguments} if arguments else {})}


def logger(name: str) -> dict[str, Any]:
    return {
        "class_path": "lightning.pytorch.loggers.CSVLogger",
        "init_args": {"save_dir": "unlearn-demo/recipes", "name": name},
    }


class Indented(yaml.SafeDumper):
    """Lists are indented below their names, and nothing is an alias."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def commented(lines: list[str], config: Mapping[str, Any]) -> str:
    comment = "".join(f"# {line}".rstrip() + "\n" for line in lines)
    return comment + yaml.dump(config, Dumper=Indented, sort_keys=False)


def main() -> None:
    texts = recipes()
    for path, text in texts.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    print(f"{len(texts)} files.")
    for path in sorted({*HERE.rglob("*.yaml")} - texts.keys()):
        print(f"{path} is of no entry: remove it.")


if __name__ == "__main__":
    main()
