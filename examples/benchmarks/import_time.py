"""How long `import lightning_unlearn` takes, beside `import lightning.pytorch`; each in a process of its own.

python examples/benchmarks/import_time.py [--repetitions 10]
"""

import argparse
import random
import statistics
import subprocess
import sys

CODE = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
MODULES = ("lightning.pytorch", "lightning_unlearn")


def seconds(module: str) -> float:
    return float(subprocess.check_output([sys.executable, "-c", CODE.format(module)], text=True))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=10)
    repetitions = parser.parse_args().repetitions
    runs = [module for module in MODULES for _ in range(repetitions)]
    random.shuffle(runs)
    times: dict[str, list[float]] = {module: [] for module in MODULES}
    for module in [*MODULES, *runs]:  # one of each first, to warm the file cache
        times[module].append(seconds(module))
    low = {module: min(values[1:]) for module, values in times.items()}
    middle = {module: statistics.median(values[1:]) for module, values in times.items()}
    for module in MODULES:
        print(f"{module:20s} minimum {low[module]:.2f} s, median {middle[module]:.2f} s")
    base, ours = MODULES
    print(f"ratio: minimum {low[ours] / low[base]:.3f}, median {middle[ours] / middle[base]:.3f}")


if __name__ == "__main__":
    main()
