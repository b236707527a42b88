"""How cost grows with rows and with columns: processor seconds, times 1, 4 and 16.

    python -m benchmarks.growth [--only VERB ...] [--repeat 3] [--json FILE]

measure    `measure_distance` with a target; rows 1,250 a side and more (20,000 is where it begins
           to sample), 8 columns; columns 4 and more, 2,000 rows a side
recommend  `recommend_ratio`, kernel; 150 real and 1,200 synthetic rows and more, 8 columns; columns
           4 and more, 300 and 2,400 rows
mix        `mix` of files, half of the synthetic rows; 100,000 rows a side and more, 8 columns;
           columns 4 and more, 100,000 rows a side

Each in a process of its own, its second call, with one thread for linear algebra; medians. The
exponents are those of the last step, from times 4 to times 16, and of both: cost grows with size to
that power.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from math import log2
from os import environ
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import speed

STEPS = (1, 4, 16)
#: Real rows, synthetic rows and columns at times 1, for growth of rows and of columns.
SIZES = {
    "measure": ((1_250, 1_250, 8), (2_000, 2_000, 4)),
    "recommend": ((150, 1_200, 8), (300, 2_400, 4)),
    "mix": ((100_000, 100_000, 8), (100_000, 100_000, 4)),
}

_CHILD = """
import json, resource, sys
from benchmarks import growth
used = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
work = growth.work(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
work()
before = used()
work()
print(json.dumps([used() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = []
    for verb in options.only:
        for what, base in zip(("rows", "columns"), SIZES[verb], strict=True):
            results.append(grown(verb, what, base, options.repeat))
            print(pd.DataFrame(results[-1:]).to_string(header=len(results) == 1), flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1))
    return 0


def grown(verb: str, what: str, base: tuple[int, int, int], repeat: int) -> dict[str, Any]:
    """Seconds and memory at every size, and how they grow."""
    seconds, memory = [], []
    for times in STEPS:
        n, m, columns = base
        size = (n * times, m * times, columns) if what == "rows" else (n, m, columns * times)
        found = [_measured(verb, *size) for _ in range(repeat)]
        seconds.append(median(one[0] for one in found))
        memory.append(median(one[1] for one in found))
    exponents = [
        log2(b / a) / log2(STEPS[2] / step)
        for a, b, step in (
            (seconds[1], seconds[2], STEPS[1]),
            (seconds[0], seconds[2], STEPS[0]),
        )
    ]
    return {
        "verb": verb,
        "more": what,
        **{f"x{times}": round(at, 2) for times, at in zip(STEPS, seconds, strict=True)},
        "exponent, last step": round(exponents[0], 2),
        "exponent": round(exponents[1], 2),
        **{f"MB x{times}": round(at) for times, at in zip(STEPS, memory, strict=True)},
    }


def _measured(verb: str, *size: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _CHILD, verb, folder, *map(str, size)]
        out = subprocess.run(
            command, capture_output=True, text=True, check=True, env=environ | speed.ONE_THREAD
        )
    seconds, memory = json.loads(out.stdout.splitlines()[-1])
    return seconds, memory


def work(verb: str, folder: str, n: int, m: int, columns: int) -> Any:
    """What a verb does with tables of a size, ready to be called."""
    frames = speed.frames(n, m, columns)
    if verb != "mix":
        return lambda: getattr(speed, verb)(*frames)
    from synthmix_dagster import mix

    paths = [Path(folder) / f"{name}.parquet" for name in ("real", "synthetic")]
    for path, frame in zip(paths, frames, strict=True):
        frame.to_parquet(path)
    seeds = iter(np.arange(9).tolist())
    # Another seed is another release: the same one would be found there.
    return lambda: mix(*paths, ratio=0.5, output=Path(folder) / "out", seed=next(seeds))


if __name__ == "__main__":
    sys.exit(main())
