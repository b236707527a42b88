"""Measure whether the gap tells the truth, with what uncertainty, and at what cost.

    python -m benchmarks.distance [--only SECTION ...] [--pairs DIR] [--json FILE] [--quick]

known     two Gaussian samples, the second shifted by a vector of length 1, beside other estimators
          on the same rows, with seconds and peak memory
cost      100,000 rows of 50 columns a side: ours beside POT's sliced distance
null, bias, coverage, labels, parts    simulations, see `calibration`
methods   what sliced, exact, sinkhorn and gaussian find of known differences, see `methods`
rows      every row of 1 to 10 million, read from Parquet, see `everyrow`
power     beside an MMD and a classifier test on real pairs, see `power`; needs --pairs
harm      which gap tells whether synthetic rows hurt, see `harm`; needs --pairs
"""

import argparse
import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import calibration, everyrow, methods, peers, power
from synthmix_dagster import measure_distance

Floats = NDArray[np.float64]
Row = dict[str, Any]
SECTIONS = (
    "known",
    "cost",
    "null",
    "bias",
    "coverage",
    "labels",
    "parts",
    "methods",
    "rows",
    "power",
    "harm",
)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--pairs", type=Path, help="folder of pairs, see benchmarks/pairs.py")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="small sizes, few repetitions")
    options = parser.parse_args()
    folders = (
        [] if options.pairs is None else sorted(f for f in options.pairs.iterdir() if f.is_dir())
    )
    results: dict[str, list[Row]] = {}
    for section in options.only:
        if section in ("power", "harm") and not folders:
            print(f"\n{section}: left out, it needs --pairs")
            continue
        started = time.perf_counter()
        results[section] = run(section, folders, options.quick)
        print(f"\n{section} ({time.perf_counter() - started:.0f} s)")
        show(section, pd.DataFrame(results[section]))
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(results, indent=1))
    return 0


def run(section: str, folders: list[Path], quick: bool) -> list[Row]:
    """Rows of one section."""
    repetitions = 50 if quick else 500
    if section == "known":
        return known([2_000] if quick else [2_000, 10_000, 100_000], [10, 50])
    if section == "cost":
        return cost(10_000 if quick else 100_000, 50)
    if section == "null":
        return calibration.null(repetitions)
    if section == "bias":
        return calibration.bias(10 * repetitions)
    if section == "coverage":
        return calibration.coverage(repetitions)
    if section == "labels":
        return calibration.labels(repetitions)
    if section == "parts":
        return calibration.parts(repetitions // 10)
    if section == "methods":
        return methods.methods([400, 1_000], 3 if quick else 10)
    if section == "rows":
        return everyrow.every_row([100_000, 200_000] if quick else [10**6, 3 * 10**6, 10**7], 20)
    if section == "power":
        return power.power(folders, [100, 400], 5)
    from benchmarks import harm

    return harm.harm(folders)


def show(section: str, table: pd.DataFrame) -> None:
    """Print a table; of the pairs only their means."""
    if section == "power":
        table = table.groupby(["kind", "n"])[["synthmix", "MMD", "classifier"]].mean().reset_index()
    with pd.option_context("display.width", 200, "display.max_columns", 30):
        print(table.round(3).to_string(index=False))


def known(sizes: list[int], columns: list[int]) -> list[Row]:
    """A true gap of 1, and of 0, for every estimator that can take so many rows."""
    rows = []
    for d in columns:
        for n in sizes:
            rng = np.random.default_rng([n, d])
            real, same = rng.standard_normal((n, d)), rng.standard_normal((n, d))
            shifted = rng.standard_normal((n, d)) + d**-0.5
            for name, estimate in peers.estimators(n).items():
                row: Row = {"columns": d, "rows": n, "estimator": name}
                row["no shift"] = estimate(real, same)
                row["shift of 1"], row["seconds"], row["peak MB"] = costs(estimate, real, shifted)
                rows.append(row)
    return rows


def cost(n: int, d: int) -> list[Row]:
    """The estimate alone with 200 directions, and all there is at the default 20,000 rows."""
    rng = np.random.default_rng(0)
    real, shifted = rng.standard_normal((n, d)), rng.standard_normal((n, d)) + d**-0.5
    names = [f"c{i}" for i in range(d)]
    sides = pd.DataFrame(real, columns=names), pd.DataFrame(shifted, columns=names)
    tasks: dict[str, Callable[[], float]] = {
        "synthmix, gap alone, 200 directions": lambda: peers.gap_alone(*sides, directions=200),
        "POT sliced, 100 projections": lambda: peers.pot_sliced(real, shifted),
        "synthmix, whole report, 20,000 rows": lambda: measure_distance(*sides).gap,
    }
    rows = []
    for name, task in tasks.items():
        gap, seconds, peak = costs(task)
        rows.append({"task": name, "rows": n, "gap": gap, "seconds": seconds, "peak MB": peak})
    return rows


def costs(task: Callable[..., float], *arguments: Any) -> tuple[float, float, float]:
    """Result, seconds, and peak memory above what was held before, of separate calls."""
    started = time.perf_counter()
    result = task(*arguments)
    seconds = time.perf_counter() - started
    tracemalloc.start()
    task(*arguments)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return result, seconds, peak


if __name__ == "__main__":
    sys.exit(main())
