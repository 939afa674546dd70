"""Cells as comparisons could have written them: numbers drawn around plausible means."""

import hashlib
import json

import numpy as np

MEASURES = ("forget_accuracy", "retain_accuracy", "test_accuracy", "membership")
VERSIONS = {"lightning_unlearn": "0.4.0", "torch": "2.15.0", "lightning": "2.6.0"}
PLAIN = {"max_steps": 60, "batch_size": 128, "forget_batch_size": 32, "model": {"lr": 0.01}, "monitor": {"every_n_steps": 6, "retain_floor": 0.5}}  # fmt: skip
SLOW = {**PLAIN, "model": {"lr": 0.003}}
REFERENCES = (101, 102, 103, 104, 105)

A_CLASS = {  # mean of the four measures, deviation over originals, steps to the target (None: never)
    "SFRon": ((0.0, 0.9965, 0.981, 0.99), 0.003, 24),
    "PGU": ((0.004, 0.993, 0.974, 0.97), 0.006, 36),
    "UNO": ((0.01, 0.9972, 0.983, 0.94), 0.004, 30),
    "LUR": ((0.0, 0.9948, 0.978, 1.0), 0.004, 42),
    "GradientSurgery": ((0.0, 0.985, 0.969, 0.985), 0.008, 18),
    "NormalisedDifference": ((0.02, 0.96, 0.95, 0.93), 0.02, 12),
}
SOME_SAMPLES = {
    "SFRon": ((0.962, 0.995, 0.968, 0.105), 0.004, 12),
    "PGU": ((0.97, 0.991, 0.965, 0.07), 0.004, 18),
    "UNO": ((0.958, 0.996, 0.969, 0.12), 0.004, 12),
    "LUR": ((0.975, 0.994, 0.967, 0.08), 0.005, 30),
}
OF_A_CLASS = {
    "fine-tuning": ((0.93, 0.9995, 0.985, 0.12), 0.02, None),
    "ascent": ((0.0, 0.43, 0.42, 0.78), 0.15, 6),
    "nothing": ((0.995, 0.998, 0.983, 0.02), 0.002, None),
    "retraining": ((0.0, 0.998, 0.984, 1.0), 0.0015, None),
}
OF_SOME_SAMPLES = {
    "fine-tuning": ((0.996, 0.9995, 0.972, 0.02), 0.002, None),
    "ascent": ((0.61, 0.66, 0.64, 0.4), 0.1, 6),
    "nothing": ((0.998, 0.998, 0.97, 0.015), 0.001, None),
    "retraining": ((0.966, 0.998, 0.969, 0.09), 0.004, None),
}
CLASSES = {"fine-tuning": "FineTune", "ascent": "GradientAscent"}


def cell(request, entry, kind, mean, deviation, to_target, seeds, settings=None, evaluations=(1, 2, 3)):
    """One finished cell; its numbers are a function of what it is."""
    unlearns = kind not in ("nothing", "retraining")
    settings = (settings or PLAIN) if unlearns else None
    name = json.dumps([request, entry, kind, seeds, settings], sort_keys=True)
    key = hashlib.sha256(name.encode()).hexdigest()
    draw = np.random.default_rng(int(key[:8], 16))
    base = np.array(mean) + deviation * draw.normal(size=4)
    steps = to_target if to_target is not None else 60 if unlearns else None
    collapsed = kind == "ascent"
    seconds = 41.0 + 3 * draw.random() if kind == "retraining" else 0.02 * (steps or 0) + 0.1 * draw.random()
    return {
        "format": "lightning-unlearn cell 2",
        "key": key,
        "request": request,
        "entry": entry,
        "kind": kind,
        "strategy": {
            "class_path": f"lightning_unlearn.{CLASSES.get(kind, entry)}",
            "init_args": {"alpha": 1.0},
        }
        if unlearns
        else None,
        "settings": settings,
        "controls": hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:8] if unlearns else None,
        "seeds": dict(zip(("original", "unlearning", "reference"), seeds, strict=True)),
        "evaluations": [
            {
                "seed": seed,
                **dict(zip(MEASURES[:3], np.clip(base[:3], 0, 1).tolist(), strict=True)),
                "membership": float(np.clip(base[3] + 0.004 * draw.normal(), 0, 1)),
                "mia_efficacy": round((1 - base[3]) * 0.9 + 0.01 * seed, 12),
            }
            for seed in evaluations
        ],
        "steps": steps,
        "seconds": None if kind == "nothing" else seconds,
        "steps_to_target": to_target,
        "seconds_to_target": None if to_target is None else 0.9 * seconds,
        "stopped": "collapse" if collapsed else "target" if to_target else None,
        "error": None,
        "versions": VERSIONS,
    }


def failed(of, error):
    """The same cell, without numbers."""
    nothing = dict.fromkeys(("steps", "seconds", "steps_to_target", "seconds_to_target", "stopped"))
    return {**of, **nothing, "evaluations": [], "error": error}


def request(
    name, strategies, controls, originals=(1, 2, 3), unlearnings=(1, 2), references=REFERENCES, slow=()
):
    """All cells of one request; strategies in `slow` have settings, and controls, of their own."""
    pairs = [(o, u, None) for o in originals for u in unlearnings]
    found = [
        cell(name, entry, "strategy", *of, seeds, SLOW if entry in slow else PLAIN)
        for entry, of in strategies.items()
        for seeds in pairs
    ]
    for kind in ("fine-tuning", "ascent"):
        for settings in (PLAIN, SLOW) if slow else (PLAIN,):
            found += [cell(name, kind, kind, *controls[kind], seeds, settings) for seeds in pairs]
    found += [cell(name, "nothing", "nothing", *controls["nothing"], (o, None, None)) for o in originals]
    found += [
        cell(name, "retraining", "retraining", *controls["retraining"], (None, None, r)) for r in references
    ]
    return found


def comparison():
    """Two requests; in the second, one strategy has settings of its own."""
    return [
        *request("the digit 3", A_CLASS, OF_A_CLASS),
        *request("10 % of the training data", SOME_SAMPLES, OF_SOME_SAMPLES, slow=("LUR",)),
    ]


TRACEBACK = """Traceback (most recent call last):
  File "worker.py", line 1, in run
RuntimeError: <b>CUDA|out of memory</b>
"""


def incomplete():
    """A strategy that always fails, one that fails once, one with a missing cell; a control that is missing."""
    found = []
    for one in request("the digit 3", A_CLASS, OF_A_CLASS):
        place = (one["entry"], one["seeds"]["original"], one["seeds"]["unlearning"])
        if one["entry"] == "LUR" or place == ("PGU", 2, 1):
            found.append(failed(one, TRACEBACK))
        elif place != ("UNO", 3, 2) and one["kind"] != "ascent":
            found.append(one)
    return found


def without_reference():
    return [one for one in request("the digit 3", A_CLASS, OF_A_CLASS) if one["kind"] != "retraining"]


def one_reference():
    return request("the digit 3", A_CLASS, OF_A_CLASS, references=(101,))


def one_seed():
    """A cell a row."""
    return request("the digit 3", A_CLASS, OF_A_CLASS, originals=(1,), unlearnings=(1,))


ODD = "</style><script>alert(1)</script> & \"quoted\" | `tick` *star* $x$ [bold] \\ 名前 with many letters"  # fmt: skip


def odd_names():
    """Texts that mean something to HTML, Markdown, Rich or Matplotlib, and that are long."""
    found = []
    for one in incomplete():
        entry = f"{one['entry']} {ODD}" if one["kind"] == "strategy" else one["entry"]
        found.append({**one, "request": f"the digit 3 {ODD}", "entry": entry})
    return found


def large():
    """Many cells, many steps, days of training."""
    found = request("the digit 3", A_CLASS, OF_A_CLASS, (1, 2, 3, 4), (1, 2, 3), slow=("SFRon",))
    for one in found:
        for name in ("steps", "steps_to_target", "seconds"):
            if one[name] is not None:
                one[name] *= 5000
    return found


SAMPLES = {f.__name__: f for f in (comparison, incomplete, without_reference, one_reference, one_seed, odd_names, large)}  # fmt: skip
