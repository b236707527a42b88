"""How fast, beside a peer that runs in turn with it, and beside what the machine allows.

    python -m benchmarks.speed [--only ROW ...] [--repeat 5] [--large] [--json FILE]

measure large   `measure_distance` with its defaults and a target, 20,000 + 20,000 rows x 50;
                peer: POT's sliced distance, 100 directions, same rows
measure small   the same with 600 + 4,800 rows x 13
recommend       `recommend_ratio`, kernel, 600 + 4,800 x 13; peer: cross-validation of ridge
                regression on the same features, 9 ratios
recommend wide  the same with 400 + 6,400 x 49
mix             2 million real rows and 1 of 2 million synthetic ones; peers: a plain copy, DuckDB
                and Polars, see `mixing`; with --large 10 and 5 million in 1 GB as well
run             one run of a mix in Dagster, a process for every step; peers: the same in one
                process, and five steps that do nothing, see `run_cost`

Every task runs in a process of its own, with one thread for linear algebra, the tasks of a row in
turn; medians count. Imports of a verb and its libraries are in "first call", which is the first one
of a process, and not in "processor seconds", which is the second. Peak memory is that of the
process.

The last columns are the least that the work can take: bytes of the inputs read and of the outputs
written at the rate that this disk has for a large file, brought to disk; or the floating-point
operations of the projections, or of the features and their Gram matrix, at the rate at which this
processor multiplies matrices of single, or double, precision.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import mixing, run_cost

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
#: Real rows, synthetic rows, columns with the target.
SIZES = {
    "measure large": (20_000, 20_000, 50),
    "measure small": (600, 4_800, 13),
    "recommend": (600, 4_800, 13),
    "recommend wide": (400, 6_400, 49),
}
DIRECTIONS = 100
RATIOS = (0, 0.1, 0.25, 0.5, 1, 2, 4, 8)

_CHILD = """
import json, resource, sys, time
from benchmarks import speed
used = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
work = getattr(speed, sys.argv[1])
frames = speed.frames(*map(int, sys.argv[2:]))
before = used(); work(*frames); first = used() - before
before, started = used(), time.perf_counter()
work(*frames)
print(json.dumps({
    "first call": first,
    "processor seconds": used() - before,
    "seconds": time.perf_counter() - started,
    "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    rows: dict[str, Callable[[argparse.Namespace], list[dict[str, Any]]]] = {
        **{name: lambda options, name=name: verbs(name, options) for name in SIZES},
        "mix": mixes,
        "run": runs,
    }
    parser.add_argument("--only", nargs="+", choices=rows, default=list(rows))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results: list[dict[str, Any]] = []
    for name in options.only:
        found = pd.DataFrame(rows[name](options))
        middle = found.groupby("task", sort=False).median(numeric_only=True).reset_index()
        print(f"\n{name}\n{middle.round(3).to_string(index=False, na_rep='')}", flush=True)
        results += [{"row": name, **each} for each in found.to_dict("records")]
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(results, indent=1))
    return 0


def verbs(name: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """A measurement, or a recommendation, in turn with its peer."""
    n, m, columns = SIZES[name]
    tasks = ["measure", "sliced_of_pot"] if "measure" in name else ["recommend", "grid_search"]
    limit = _numerics_limit(tasks[0], n, m, columns)
    return [
        {"task": task, **_called(task, n, m, columns), "limit, seconds": limit}
        for _ in range(options.repeat)
        for task in tasks
    ]


def _called(task: str, *size: int) -> dict[str, float]:
    command = [sys.executable, "-c", _CHILD, task, *map(str, size)]
    environment = os.environ | ONE_THREAD
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: dict[str, float] = json.loads(out.stdout.splitlines()[-1])
    return found


def frames(n: int, m: int, columns: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Normal columns, the last of them a target that bends; the synthetic side is shifted."""
    rng = np.random.default_rng(0)

    def side(rows: int, shift: float) -> pd.DataFrame:
        x = rng.normal(size=(rows, columns - 1)) + shift
        target = x[:, 0] + np.sin(x[:, 1]) + rng.normal(size=rows)
        return pd.DataFrame(x).add_prefix("c").assign(y=target)

    return side(n, 0.0), side(m, 0.1)


def measure(real: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    from synthmix_dagster import measure_distance

    measure_distance(real, synthetic, target="y")


def sliced_of_pot(real: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    import ot

    sides = real.to_numpy(), synthetic.to_numpy()
    ot.sliced_wasserstein_distance(*sides, n_projections=DIRECTIONS, seed=0)


def recommend(real: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    from synthmix_dagster import recommend_ratio

    recommend_ratio(real, synthetic, target="y", task="regression")


def grid_search(real: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    from benchmarks.gridsearch import grid_losses
    from synthmix_dagster.encoding.nystroem import NystroemMap
    from synthmix_dagster.encoding.target import TargetCode
    from synthmix_dagster.ratio.sample import EncodedSample

    code = TargetCode.fit(real, "y", "regression")
    sample = EncodedSample.encode({"real": real, "synthetic": synthetic}, code)
    points = sample.points
    kernel = NystroemMap.fit(points["real"], points["synthetic"], rng=np.random.default_rng(0))
    features = {side: kernel.transform(at) for side, at in points.items()}
    grid_losses(features, sample.targets, np.rint(np.array(RATIOS) * len(real)).astype(int), seed=0)


def _numerics_limit(task: str, n: int, m: int, columns: int) -> float:
    """Seconds of the projections alone, or of the features and their Gram matrix alone."""
    if task == "measure":
        return 2 * (n + m) * columns * DIRECTIONS / _operations_a_second(np.float32)
    from synthmix_dagster.encoding.nystroem import LANDMARKS

    of_features = 2 * (n + m) * LANDMARKS * (columns + LANDMARKS)
    gram = (n + m) * LANDMARKS**2
    return (of_features + gram) / _operations_a_second(np.float64)


def _operations_a_second(kind: type, size: int = 1_500) -> float:
    """Floating-point operations a second of a product of matrices in one thread."""
    from synthmix_dagster.threads import one_thread

    square = np.ones((size, size), dtype=kind)
    with one_thread(estimators=False):
        times = []
        for _ in range(4):
            before = time.process_time()
            square @ square
            times.append(time.process_time() - before)
    return float(2 * size**3 / min(times))


def mixes(options: argparse.Namespace) -> list[dict[str, Any]]:
    """A mix in turn with a copy, DuckDB and Polars."""
    found = []
    for rows in (2_000_000, 10_000_000) if options.large else (2_000_000,):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            inputs = [folder / side for side in ("real", "synthetic")]
            for seed, path in enumerate(inputs):
                mixing.write_input(path, rows, seed)
            reading, writing = _disk_rates(folder)
            # All of the real rows and half of the synthetic ones have to be read at least.
            read = [sum(file.stat().st_size for file in path.iterdir()) for path in inputs]
            for _ in range(options.repeat):
                for task in ("copy, no dictionaries", "synthmix", "DuckDB", "Polars"):
                    one = mixing.measured(mixing.CONTENDERS[task], inputs, folder / "output", rows)
                    limit = (read[0] + read[1] / 2) / reading
                    limit += one["written MB"] * 2**20 / writing
                    found.append({"task": f"{task}, {rows:,}", **one, "limit, seconds": limit})
    return found


def _disk_rates(folder: Path, size: int = 2**28) -> tuple[float, float]:
    """Bytes a second that are read and written, the second until they are on disk."""
    path, block = folder / "rate", os.urandom(2**22)
    started = time.perf_counter()
    with path.open("wb") as file:
        for _ in range(size // len(block)):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    written = time.perf_counter()
    with path.open("rb") as file:
        if hasattr(os, "posix_fadvise"):
            # Otherwise it would be read from memory.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        written = max(written, started + 1e-9)
        reading = time.perf_counter()
        while file.read(2**22):
            pass
    read = time.perf_counter() - reading
    path.unlink()
    return size / read, size / (written - started)


def runs(options: argparse.Namespace) -> list[dict[str, Any]]:
    """A run of a mix with Dagster's executors, in turn with steps that do nothing."""
    found = []
    for _ in range(options.repeat):
        for task, code in run_cost.PROJECTS.items():
            for executor in ("one", "many"):
                processor, clock = run_cost.run(code, executor)
                name = f"{task}, {'one process' if executor == 'one' else 'a process a step'}"
                found.append({"task": name, "processor seconds": processor, "seconds": clock})
    return found


if __name__ == "__main__":
    sys.exit(main())
