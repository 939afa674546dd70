"""Run as `python -m tests.compare._process CONFIG`, a JSON file: a comparison in processes beside one another."""

import json
import sys
import warnings
from pathlib import Path

from lightning_unlearn.compare import compare

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    compare(json.loads(Path(sys.argv[1]).read_text()))
