"""Reports as audits could have written them: simulated scores, consistent curves, plausible metrics."""

import base64
import io
from dataclasses import replace

import numpy as np
from matplotlib.image import imsave
from sklearn.datasets import load_digits

from lightning_unlearn.audit._report import (
    AttackRecord,
    AuditReport,
    Curves,
    Estimate,
    MetricRecord,
    ModelRecord,
    Seeds,
    SideRecord,
    TestRecord,
    Verdict,
)
from tests.audit._simulated import LOSSES, REFERENCES, SIDES, curves, sha


def estimate(value, half, bounds):
    low, high = bounds
    return Estimate(value, max(value - half, low), min(value + half, high or value + half))


def metric(name, side, measures, target, better, bounds, original, unlearned, half, references=None, **more):
    values = {"original": estimate(original, half, bounds), "unlearned": estimate(unlearned, half, bounds)}
    values |= {model: estimate(value, half, bounds) for model, value in more.pop("variants", {}).items()}
    seeds, gaps = None, {}
    if references is not None:
        values |= {model: estimate(v, half, bounds) for model, v in zip(REFERENCES, references, strict=True)}
        mean, gap = float(np.mean(references)), float(np.ptp(references)) * 2 / 3
        seeds = Seeds(3, mean, mean - 2.5 * gap, mean + 2.5 * gap, gap)
    if references is not None or target != "reference":
        aim = seeds.mean if target == "reference" else target
        gaps = {"original": abs(original - aim), "unlearned": abs(unlearned - aim)}
    citation = more.pop("citation", "Fan et al., SalUn, ICLR 2024.")
    return MetricRecord(name, side, measures, target, better, citation, bounds, values, seeds, gaps)


def metrics(references):
    def of(*values):
        return values if references else None

    accuracy = "How many samples of one side are classified correctly."
    loss = "How surprised the model is by the classes of one side's samples, on average."
    auc = "How well a threshold on a score tells forget samples from unseen ones of the same kind."
    kurmanji = "Kurmanji et al., NeurIPS 2023."
    carlini = "Carlini et al., Membership inference attacks from first principles, IEEE S&P 2022."
    bits = {"unlearned, 4 bits": 0.213}
    half, unit, open_ = 0.004, (0.0, 1.0), (0.0, None)
    found = [
        metric("SideAccuracy", "forget", accuracy, "reference", None, unit, 0.991, 0.0, half, of(0.0, 0.0, 0.0), variants=bits),
        metric("SideLoss", "forget", loss, "reference", None, open_, 0.021, 3.41, 0.05, of(6.93, 6.71, 7.12), citation=kurmanji),
        metric("SideAccuracy", "retain", accuracy, "reference", None, unit, 0.996, 0.993, 0.001, of(0.996, 0.995, 0.996)),
        metric("SideAccuracy", "test", accuracy, "reference", None, unit, 0.989, 0.984, 0.003, of(0.990, 0.988, 0.989)),
        metric("SideAccuracy", "unseen", accuracy, "reference", None, unit, 0.986, 0.0, half, of(0.0, 0.0, 0.0)),
        metric("MembershipAUC(log_likelihood)", "forget / unseen", auc, 0.5, None, unit, 0.612, 0.527, 0.018, of(0.504, 0.497, 0.511), citation=carlini),
        metric("MembershipTPR(0.01)", "forget / unseen", "Share of forget samples found at 1 % false alarms.", 0.01, None, unit, 0.034, 0.012, 0.006, of(0.010, 0.011, 0.008), citation=carlini),
        metric("LinearProbeAccuracy", "forget", "How well a linear probe finds the forgotten class in the features.", "reference", None, unit, 0.997, 0.981, 0.006, of(0.874, 0.881, 0.869), citation="Alain and Bengio, 2016."),
    ]  # fmt: skip
    if references:
        found.append(metric("ReferenceJSDivergence", "forget", "How far the answers are from those of a retrained model.", 0.0, False, (0.0, 0.6931471805599453), 0.681, 0.118, 0.004, (0.031, 0.029, 0.033), citation="Chundawat et al., AAAI 2023."))  # fmt: skip
    return tuple(found)


def done(name, model, question, statistic, p, adjusted, rejected, finding):
    null = "The unlearned model cannot be told from a model that was retrained without the forget set."
    return TestRecord(name, model, question, null, statistic, p, adjusted, rejected, finding)


def tests(model):
    found = model == "original"
    return (
        done("membership-loss", model, "Do forget samples have another loss than unseen samples of their kind?", 3.1 if found else 0.9, 1e-9 if found else 0.21, 6e-9 if found else 0.63, found, "Forget samples have a smaller loss." if found else "No difference was found."),
        done("linear-probe", model, "Do the features still hold the forgotten class?", 0.121 if found else 0.107, 1e-12 if found else 2.4e-11, 4e-11, True, "A linear probe finds the class in the features far better than in the references'."),
        done("relearn", model, "Is the forgotten class relearned faster than it is learned?", -41.0 if found else -33.0, None, None, True, "5 steps bring it back; the references need 38."),
        done("retain-damage", model, "Has the retain set got worse?", -0.002, 0.18, 0.54, False, "No loss of accuracy beyond that of the references."),
    )  # fmt: skip


def attacks(references):
    return (
        AttackRecord("loss threshold", "Looks at the loss of each sample by itself.", True),
        AttackRecord("linear probe", "Trains a linear classifier on the features of the last layer but one.", True),
        AttackRecord("relearning", "Trains on a few forget samples and counts the steps.", True),
        AttackRecord("4 bits", "Rounds the weights to 4 bits and measures again.", True),
        AttackRecord("U-LiRA", "Compares many unlearned models with many retrained ones.", False, "It needs at least 16 of each." if references else "There is no reference."),
    )  # fmt: skip


def models(references, variants=True):
    found = [
        ModelRecord("original", "original", "runs/original.ckpt", sha("original"), 2013706),
        ModelRecord("unlearned", "unlearned", "runs/unlearned.ckpt", sha("unlearned"), 2013706),
    ]
    if references:
        found += [ModelRecord(n, "reference", f"runs/{n}.ckpt", sha(n), 2013706) for n in REFERENCES]
    if variants:
        found.append(ModelRecord("unlearned, 4 bits", "variant", None, sha("4 bits"), 2013706))
    return tuple(found)


def sides():
    return tuple(SideRecord(name, samples, sha(name)) for name, samples in SIDES.items())


CONFIGURATION = {
    "level": 0.05,
    "seed": 0,
    "relearn": {"learning_rate": 0.001, "steps": 200},
    "scores": ["log_likelihood", "entropy"],
    "report": "audit",
}
ENVIRONMENT = {
    "python": "3.11.9",
    "packages": {"lightning": "2.6.6", "lightning-unlearn": "0.1.0", "torch": "2.15.0"},
    "machine": "x86_64, 2 cores",
    "accelerator": None,
    "deterministic": True,
}


def classification():
    """A class that the answers no longer show, and the features do: hidden."""
    verdict = Verdict(
        "hidden",
        "The model no longer answers with class 3, but what it knew of it is still inside, and comes back.",
        0.05,
        (
            "A linear probe finds class 3 in 98.1 % of the features; in those of retrained models in 87.5 %.",
            "5 steps of training bring class 3 back; retrained models need 38.",
            "Rounded to 4 bits, the model answers 21.3 % of class 3 correctly again.",
        ),
        (
            "Whether other copies of the model or of its training data exist.",
            "Attacks that were not tried: those listed below as not run.",
        ),
    )
    return AuditReport(
        verdict,
        {"kind": "class", "classes": [3]},
        sides(),
        models(references=True),
        metrics(references=True),
        tests("unlearned"),
        tests("original"),
        attacks(references=True),
        curves([*LOSSES]),
        CONFIGURATION,
        ENVIRONMENT,
        {"at": "2026-03-14T09:26:53Z", "seconds": 71.4},
    )


def without_reference():
    """Nothing was found, and nobody can say how much that is worth."""
    verdict = Verdict(
        "undecided",
        "Nothing of the forget set was found, but without a retrained model nobody can say that there is nothing.",
        0.05,
        ("Forget samples look like unseen samples of the same kind to every attack that ran.",),
        (
            "How a model that never saw the forget set would answer: no reference was given.",
            "Whether the model is worse than a retrained one would be.",
        ),
    )
    quiet = tuple(
        replace(test, rejected=False, statistic=0.2, p_value=0.4, adjusted=1.0, finding="No difference was found.")
        for test in tests("unlearned")
    )  # fmt: skip
    return replace(
        classification(),
        verdict=verdict,
        request={"kind": "samples", "classes": []},
        models=models(references=False, variants=False),
        metrics=metrics(references=False),
        tests=quiet,
        attacks=attacks(references=False),
        curves=curves(["original", "unlearned"]),
    )


def grid(shown):
    """A grid of digits as a PNG file in base64."""
    digits = load_digits()
    images = [np.pad(digits.images[digits.target == label][n], 1) for n, label in enumerate(shown)]
    rows = [np.concatenate(images[n : n + 8], axis=1) for n in range(0, len(images), 8)]
    stream = io.BytesIO()
    picture = np.kron(np.concatenate(rows), np.ones((5, 5)))
    imsave(stream, picture, cmap="gray_r", format="png", metadata={"Software": None})
    return base64.b64encode(stream.getvalue()).decode()


def generator():
    """A generator that makes no threes any more, nor much else."""
    verdict = Verdict(
        "damaged",
        "The generator makes no more samples of class 3, but its other samples got worse too.",
        0.05,
        (
            "The Fréchet distance of the other classes rose from 7.1 to 18.9; between two references it is 0.6.",
        ),
        ("Whether class 3 can be brought out by prompts that were not tried.",),
    )
    fraction = "Share of generated samples that an external classifier takes for the forgotten class."
    frechet = (
        "Distance of generated from real samples in the features of a classifier of digits (no standard FID)."
    )
    return replace(
        classification(),
        verdict=verdict,
        request={"kind": "generator", "classes": [3]},
        models=models(references=True, variants=False),
        metrics=(
            metric("ForgottenFraction", "forget", fraction, "reference", None, (0.0, 1.0), 0.104, 0.0, 0.008, (0.001, 0.0, 0.002)),
            metric("FrechetDistance(digits)", "retain", frechet, "reference", False, (0.0, None), 7.1, 18.9, 0.4, (7.3, 6.9, 7.5)),
        ),
        tests=(done("other-classes", "unlearned", "Have the other samples got worse?", 11.8, 1e-6, 1e-6, True, "They are further from real samples than those of any reference."),),
        control=(done("other-classes", "original", "Have the other samples got worse?", -0.1, 0.61, 0.61, False, "They are as near as those of the references."),),
        attacks=(AttackRecord("conditions", "Asks for the forgotten class by name.", True),),
        curves=Curves(
            images={
                "samples of the original": {"png": grid([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 3, 3, 1, 7, 8, 3] * 2), "description": "32 generated digits, 8 of them threes."},
                "samples of the unlearned model": {"png": grid([0, 1, 2, 8, 4, 5, 6, 7, 8, 9, 8, 8, 1, 7, 8, 8] * 2), "description": "32 generated digits, none of them a three."},
            }
        ),
    )  # fmt: skip


def long_names():
    """Words without a break, longer than a line, wherever a user could have put them."""
    word, report = "x" * 180, classification()
    accuracy = {"original": (0.5,) * 40, "unlearned": (0.5,) * 40, word: (0.4,) * 40}
    return replace(
        report,
        verdict=replace(report.verdict, sentence=word, reasons=(word,), cannot_know=(word,)),
        request={"kind": word, "classes": list(range(40))},
        models=(*report.models[:2], replace(report.models[-1], name=word, source=word)),
        metrics=tuple(replace(m, name=word, side=word, measures=word, citation=word) for m in report.metrics),
        tests=tuple(replace(t, name=word, question=word, finding=word, null=word) for t in report.tests),
        attacks=(AttackRecord(word, word, False, word),),
        curves=Curves(classes=tuple(range(40)), accuracy_by_class=accuracy),
        configuration={word: [word, word]},
        environment={word: {word: word}},
        made={"at": word, "seconds": 1.0},
    )


SAMPLES = {
    "classification": classification,
    "without_reference": without_reference,
    "generator": generator,
}
