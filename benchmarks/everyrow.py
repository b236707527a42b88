"""Measure every row: the time should be linear in them, the memory flat.

Files of normal rows, the synthetic ones shifted by a vector of length 0.1, are written once and
measured in a process of their own, whose peak resident memory is what the system says.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

ROW_GROUP = 200_000
SHIFT = 0.1
_PROGRAM = """
import json, resource, sys, time
from synthmix_dagster import measure_distance
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.perf_counter()
report = measure_distance(sys.argv[1], sys.argv[2], rows=sys.argv[3])
print(json.dumps({
    "gap": report.gap,
    "interval": report.interval,
    "seconds": time.perf_counter() - started,
    "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def every_row(sizes: list[int], columns: int) -> list[dict[str, Any]]:
    """Seconds and peak memory of a sample and of every row."""
    rows = []
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / f"{name}.parquet" for name in ("real", "synthetic")]
            for seed, path in enumerate(paths):
                write(path, n, columns, shift=seed * SHIFT / columns**0.5, seed=seed)
            for mode in ("sample", "all"):
                out = subprocess.run(
                    [sys.executable, "-c", _PROGRAM, *map(str, paths), mode],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                rows.append({"rows a side": n, "measured": mode, **json.loads(out.stdout)})
    return rows


def write(path: Path, rows: int, columns: int, *, shift: float, seed: int) -> None:
    """Write normal rows, a row group at a time."""
    rng = np.random.default_rng(seed)
    schema = pa.schema([(f"c{i}", pa.float32()) for i in range(columns)])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, ROW_GROUP):
            size = min(ROW_GROUP, rows - start)
            values = rng.standard_normal((columns, size), dtype=np.float32) + np.float32(shift)
            writer.write_table(pa.table(list(values), schema=schema))
