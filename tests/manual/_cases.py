"""Rows of the case list that mean something under manual optimisation, and between adversaries."""

from tests.strategies._cases import CASES, Case

# labels of the batch are changed by `Relabel`, and a guided loss is not the user's: refused, see test_refusals
BY_LOSS = [case for case in CASES if case.id != "surgery-relabel" and case.penalty is None]

PASSES_ELSEWHERE = ("look-ahead", "hessian", "first-order", "lur", "uno")


def is_adversarial(case: Case) -> bool:
    """Whether a row is a function of the training loss alone: not of class probabilities, labels, or positions."""
    of_labels = (
        "surgery-uniform",
        "surgery-bounded",
        "prepared",
        "fisher",
        "covariance",
        "teacher",
        "counter",
        "lur",
        "sfron",
        "surgery-weighted",
        "ascent-weighted",
        "redirect",
    )
    return case.mask is None and case.allowed is None and not case.id.startswith(of_labels)


ADVERSARIAL = [case for case in BY_LOSS if is_adversarial(case)]
