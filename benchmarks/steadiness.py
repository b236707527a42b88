"""How much a measurement hangs on the draw, the rows being the same.

    python -m benchmarks.steadiness [--seeds 16] [--json FILE]

Correlated normal columns, a shift of 0.2 of each; one pair of frames, measured with every seed.
Columns: the standard deviation of the gap over half the mean width of its interval, the mean width
with its relative standard deviation, and the mean floor with its own.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from synthmix_dagster.distance.measure import measure
from synthmix_dagster.distance.options import DistanceOptions
from synthmix_dagster.threads import one_thread

#: Real rows, synthetic rows, columns.
SIZES = ((500, 3_000, 4), (5_000, 5_000, 4), (300, 300, 20), (1_500, 1_000, 4))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with one_thread():
        results = [steadiness(*size, options.seeds) for size in SIZES]
    print(pd.DataFrame(results).round(4).to_string(index=False))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1))
    return 0


def steadiness(n: int, m: int, columns: int, seeds: int) -> dict[str, float]:
    """Measure one pair of frames with every seed."""
    rng = np.random.default_rng(7)
    turn = np.eye(columns) + 0.3
    names = [f"x{number}" for number in range(columns)]
    real = pd.DataFrame(rng.normal(size=(n, columns)) @ turn, columns=names)
    synthetic = pd.DataFrame(rng.normal(size=(m, columns)) @ turn + 0.2, columns=names)
    reports = [
        measure(real, synthetic, options=DistanceOptions(seed=seed)) for seed in range(seeds)
    ]
    gaps, floors = (np.array([getattr(one, name) for one in reports]) for name in ("gap", "floor"))
    widths = np.array([high - low for low, high in (report.interval for report in reports)])
    return {
        "real": n,
        "synthetic": m,
        "columns": columns,
        "gap": float(np.mean(gaps)),
        "gap_noise": float(np.std(gaps) / (np.mean(widths) / 2)),
        "width": float(np.mean(widths)),
        "width_sd": float(np.std(widths) / np.mean(widths)),
        "floor": float(np.mean(floors)),
        "floor_sd": float(np.std(floors) / np.mean(floors)),
    }


if __name__ == "__main__":
    sys.exit(main())
