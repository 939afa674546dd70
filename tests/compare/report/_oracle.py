"""The summary once more, from the raw cells, by plain loops."""

import numpy as np

MEASURES = ("forget_accuracy", "retain_accuracy", "test_accuracy", "membership")
REPORTED = (*MEASURES, "mia_efficacy")


def mean_of(cell):
    return [sum(e[m] for e in cell["evaluations"]) / len(cell["evaluations"]) for m in REPORTED]


def gap(values, references):
    total = 0.0
    for k in range(4):
        total += abs(values[k] - sum(r[k] for r in references) / len(references))
    return 100 * total / 4


def deviation(values):
    """`None` for one value, as the standard deviation with n − 1 has none."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def model_of(cell):
    seeds = cell["seeds"]
    return seeds["reference"] if cell["kind"] == "retraining" else seeds["original"]


def sources(cells, of_cell, of_evaluation):
    """Mean, deviation, and deviation over models, unlearnings and evaluations."""
    values = [of_cell(cell) for cell in cells]
    by_model = {}
    for cell, value in zip(cells, values, strict=True):
        by_model.setdefault(model_of(cell), []).append(value)
    over_models = deviation([sum(of) / len(of) for of in by_model.values()])
    within, freedom = 0.0, 0
    for of in by_model.values():
        for value in of:
            within += (value - sum(of) / len(of)) ** 2
        freedom += len(of) - 1
    alone, alone_freedom = 0.0, 0
    if of_evaluation:
        for cell in cells:
            each = [of_evaluation(cell, e) for e in cell["evaluations"]]
            alone += sum((one - sum(each) / len(each)) ** 2 for one in each)
            alone_freedom += len(each) - 1
    return {
        "mean": sum(values) / len(values),
        "deviation": deviation(values),
        "count": len(values),
        "over_models": over_models,
        "over_unlearnings": (within / freedom) ** 0.5 if freedom else None,
        "over_evaluations": (alone / alone_freedom) ** 0.5 if alone_freedom else None,
    }


def expected(cells, request, kind, entry=None, controls=None):
    """All numbers of one row."""
    mine = [c for c in cells if c["request"] == request and c["error"] is None]
    references = [mean_of(c) for c in mine if c["kind"] == "retraining"]
    row = [
        c
        for c in mine
        if c["kind"] == kind
        and (entry is None or c["entry"] == entry)
        and (controls is None or c["controls"] == controls)
    ]
    found = {}
    if row:
        for m in REPORTED:
            found[m] = sources(row, lambda c, m=m: mean_of(c)[REPORTED.index(m)], lambda c, e, m=m: e[m])

    def others(cell):
        if kind != "retraining":
            return references
        return [mean_of(c) for c in mine if c["kind"] == "retraining" and c["key"] != cell["key"]]

    if row and all(others(c) for c in row):
        found["average_gap"] = sources(
            row,
            lambda c: gap(mean_of(c), others(c)),
            lambda c, e: gap([e[m] for m in MEASURES], others(c)),
        )
        for name, control in (("beside_fine_tuning", "fine-tuning"), ("beside_ascent", "ascent")):
            differences = []
            for c in row:
                for other in mine:
                    same = all(c[k] == other[k] for k in ("seeds", "controls"))
                    if other["kind"] == control and kind != control and same:
                        differences.append(gap(mean_of(c), references) - gap(mean_of(other), references))
            if differences and kind != "retraining":
                found[name] = {
                    "mean": sum(differences) / len(differences),
                    "deviation": deviation(differences),
                    "pairs": len(differences),
                    "closer": sum(d < -1e-9 for d in differences),
                }
    for name in ("steps", "steps_to_target", "seconds", "seconds_to_target"):
        there = [c for c in row if c[name] is not None]
        if there:
            found[name] = sources(there, lambda c, name=name: c[name], None)
    trained = [c["seconds"] for c in mine if c["kind"] == "retraining"]
    if trained and row and kind not in ("nothing", "retraining"):
        unit = sum(trained) / len(trained)
        found["share_of_retraining"] = sources(row, lambda c: c["seconds"] / unit, None)
    return found


FIELDS = (*REPORTED, "average_gap", "beside_fine_tuning", "beside_ascent", "steps", "steps_to_target", "seconds", "seconds_to_target", "share_of_retraining")  # fmt: skip
