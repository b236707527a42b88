"""Does the gap tell the truth, and what does it cost? A known shift, beside other estimators.

    python -m benchmarks.distance [--rows 2000 10000] [--columns 10 50] [--json FILE]

Two Gaussian samples, the second shifted by a vector of length 1: the true W2 is 1. Every estimator
sees the same rows in the same run. Memory is the peak above what was held before the call.
"""

import argparse
import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster import measure_distance

Floats = NDArray[np.float64]
#: Exact transport is cubic in the rows: above this it is left out.
MOST_EXACT = 2_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[2_000, 10_000, 100_000])
    parser.add_argument("--columns", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = []
    for d in options.columns:
        for n in options.rows:
            rng = np.random.default_rng([n, d])
            real = rng.standard_normal((n, d))
            same, shifted = rng.standard_normal((n, d)), rng.standard_normal((n, d)) + d**-0.5
            for name, estimate in estimators(n).items():
                row = {"columns": d, "rows": n, "estimator": name}
                row["no shift"] = estimate(real, same)
                started = time.perf_counter()
                row["shift of 1"] = estimate(real, shifted)
                row["seconds"] = time.perf_counter() - started
                tracemalloc.start()
                estimate(real, shifted)
                row["peak MB"] = tracemalloc.get_traced_memory()[1] / 2**20
                tracemalloc.stop()
                results.append(row)
    print(pd.DataFrame(results).round(3).to_string(index=False))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1))
    return 0


def estimators(n: int) -> dict[str, Callable[[Floats, Floats], float]]:
    """Ours, and those of POT that are affordable at n rows."""
    import ot

    def ours(real: Floats, synthetic: Floats) -> float:
        names = [f"c{i}" for i in range(real.shape[1])]
        report = measure_distance(
            pd.DataFrame(real, columns=names),
            pd.DataFrame(synthetic, columns=names),
            sample_rows=n,
        )
        return report.gap

    def sliced(real: Floats, synthetic: Floats) -> float:
        found = ot.sliced_wasserstein_distance(real, synthetic, n_projections=100, seed=0)
        return float(found) * real.shape[1] ** 0.5

    def exact(real: Floats, synthetic: Floats) -> float:
        return float(np.sqrt(ot.emd2([], [], ot.dist(real, synthetic), numItermax=10**7)))

    def bures(real: Floats, synthetic: Floats) -> float:
        return float(ot.gaussian.empirical_bures_wasserstein_distance(real, synthetic))

    found = {"synthmix sliced": ours, "POT sliced": sliced, "POT Bures": bures}
    return found | {"POT emd2": exact} if n <= MOST_EXACT else found


if __name__ == "__main__":
    sys.exit(main())
