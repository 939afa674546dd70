"""Run as `python -m tests.reference._process FOLDER`: two references of four slow epochs, beside one another."""

import signal
import sys
import warnings

from lightning_unlearn.reference import retrain_references
from tests.reference._modules import Slow, sides, trainer

if __name__ == "__main__":
    # a shell that has started the tests in its background has switched it off
    signal.signal(signal.SIGINT, signal.default_int_handler)
    warnings.simplefilter("ignore")
    retrain_references(Slow, sides(), trainer(), count=2, processes=2, output=sys.argv[1])
