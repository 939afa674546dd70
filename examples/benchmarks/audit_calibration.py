"""How often the audit is wrong about a retrained model, and how often it finds one that still saw a part.

Every simulated audit has a request of its own (a class, or a tenth of the samples), an original, references and a
candidate, each trained from its own seed. Under the null the candidate was retrained without the forget set; for the
power, it saw a share of it.

    python examples/benchmarks/audit_calibration.py --audits 240
"""

import argparse
import json
import time
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from _pool import Perceptron, everything, train
from scipy.stats import binomtest, kstest
from torch.utils.data import TensorDataset

from lightning_unlearn.audit._audit import judge
from lightning_unlearn.audit._measure import Measurement
from lightning_unlearn.audit._models import load_models
from lightning_unlearn.audit._options import Options
from lightning_unlearn.audit._progress import AuditProgress
from lightning_unlearn.audit._sides import loaders_of
from lightning_unlearn.audit._stages import Stages

LEVEL = 0.05
SHARES = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)
OPTIONS = Options(LEVEL, None, None, None, (8, 4), True, 30, 512, 2000, 1999, "cpu", 0)


def request(number):
    """Forget, retain and test samples: odd numbers forget a class, even ones a tenth at random; a quarter is for testing.

    All of it is drawn anew for every audit: a test set that all of them share would share its accidents.
    """
    _, labels = everything()
    generator = torch.Generator().manual_seed(number)
    test, known = torch.randperm(len(labels), generator=generator).split(
        [len(labels) // 4, len(labels) - len(labels) // 4]
    )
    if number % 2:
        forgotten = labels[known] == int(torch.randint(10, (), generator=generator))
    else:
        forgotten = torch.arange(len(known)) < len(known) // 10
    return known[forgotten], known[~forgotten], test


def models(number, references, share, seed):
    """Original, candidate and references of one audit."""
    forget, retain, _ = request(number)
    seen = forget[torch.randperm(len(forget), generator=torch.Generator().manual_seed(number))]
    seen = seen[: max(1, round(share * len(forget)))] if share else seen[:0]
    seed = 3 * number + 10_000 * seed
    trained = train(retain.expand(references, -1), seed) if references else []
    [original] = train(torch.cat([retain, forget])[None], seed + 1)
    [candidate] = train(torch.cat([retain, seen])[None], seed + 2)
    return original, candidate, trained


def examine(number, original, unlearned, references):
    """One audit, without the report."""
    images, labels = everything()
    sides = {
        name: TensorDataset(images[rows], labels[rows])
        for name, rows in zip(("forget", "retain", "test"), request(number), strict=True)
    }
    loaded = load_models(Perceptron(), original, unlearned, references)
    measure = Measurement(loaded, loaders_of(sides, OPTIONS.batch_size), OPTIONS, Stages(None, {}))
    with AuditProgress(measure.batches(), show=False) as bar:
        return judge(loaded, measure(bar), OPTIONS)


def rate(found, of):
    interval = binomtest(found, of).proportion_ci(0.95, method="wilson")
    return {"alarms": found, "audits": of, "rate": found / of, "interval": [interval.low, interval.high]}


def run(numbers, references, share, seed):
    return [examine(number, *models(number, references, share, seed)) for number in numbers]


def summary(results):
    """False alarms, verdicts, and Kolmogorov–Smirnov tests of the p-values of each test."""
    verdicts = Counter(verdict.name for verdict, _, _ in results)
    alarms = sum(count for name, count in verdicts.items() if name not in ("forgotten", "undecided"))
    p_values = {}
    for _, tests, _ in results:
        for test in tests:
            if test.p_value is not None:
                p_values.setdefault(test.name, []).append(test.p_value)
    uniform = {name: float(kstest(values, "uniform").pvalue) for name, values in p_values.items()}
    small = {name: float((np.array(values) <= LEVEL).mean()) for name, values in p_values.items()}
    out = {
        "verdicts": dict(verdicts),
        **rate(alarms, len(results)),
        "uniform (KS p)": uniform,
        "share below level": small,
    }
    return out, p_values


def draw(p_values, power, path):
    left, right = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")[1]
    for name, values in p_values.items():
        left.plot(np.sort(values), (np.arange(len(values)) + 1) / len(values), lw=1, label=name)
    left.plot([0, 1], [0, 1], "k--", lw=0.8)
    left.set(xlabel="p-value of a retrained model", ylabel="share at most", title="Under the null")
    left.legend(fontsize=6)
    for kind, points in power.items():
        x, y = zip(*[(share, found["rate"]) for share, found in points.items()], strict=True)
        low, high = zip(*[found["interval"] for found in points.values()], strict=True)
        right.errorbar(x, y, [np.subtract(y, low), np.subtract(high, y)], marker="o", capsize=2, label=kind)
    right.axhline(LEVEL, color="k", ls="--", lw=0.8)
    right.set(
        xlabel="share of the forget set that the model saw",
        ylabel="share found",
        title="Power",
        ylim=(0, 1.02),
    )
    right.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    plt.savefig(path, dpi=130)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--audits", type=int, default=240)
    parser.add_argument("--power", type=int, default=20, help="audits for each point of the power curves")
    parser.add_argument("--references", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figure", type=Path, default=Path("audit_calibration.png"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    start = time.perf_counter()
    with_references, p_values = summary(
        run(range(arguments.audits), arguments.references, 0.0, arguments.seed)
    )
    print(json.dumps({"with references": with_references}, indent=1), flush=True)
    without, alone = summary(run(range(arguments.audits), 0, 0.0, arguments.seed + 1))
    print(json.dumps({"without references": without}, indent=1), flush=True)
    power = {}
    for references in (arguments.references, 0):
        for odd, kind in ((1, "class"), (0, "samples")):
            name = f"{kind}, {references} references"
            numbers = range(10_000 + odd, 10_000 + odd + 2 * arguments.power, 2)
            for share in SHARES[1:]:
                found, _ = summary(run(numbers, references, share, arguments.seed + 2))
                power.setdefault(name, {})[share] = found
                print(
                    name,
                    share,
                    json.dumps({k: found[k] for k in ("verdicts", "rate", "interval")}),
                    flush=True,
                )
    draw({**p_values, "membership, no reference": alone["membership"]}, power, arguments.figure)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
