"""Data, model, figures and report of the demonstration, which is also a template for experiments of one's own."""

from lightning_unlearn.demo._data import Digits
from lightning_unlearn.demo._mnist import MNIST, FashionMNIST
from lightning_unlearn.demo._model import DigitClassifier
from lightning_unlearn.demo._run import Models, Outcome, described, run, train_models, unlearn
from lightning_unlearn.demo._task import Recipe, Task, make_task

__all__ = [
    "Digits",
    "MNIST",
    "FashionMNIST",
    "DigitClassifier",
    "Task",
    "Recipe",
    "make_task",
    "Models",
    "train_models",
    "unlearn",
    "run",
    "Outcome",
    "described",
]
