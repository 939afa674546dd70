"""Data, model, figures and report of the demonstration, which is also a template for experiments of one's own."""

from lightning_unlearn.demo._data import MNIST, Digits
from lightning_unlearn.demo._model import DigitClassifier

__all__ = ["Digits", "MNIST", "DigitClassifier"]
