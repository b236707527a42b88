"""What a mix costs, beside a plain copy, DuckDB and Polars.

    python -m benchmarks.mixing [--rows N ...] [--only NAME ...] [--repeat N] [--json FILE]

N real rows and N/2 of N synthetic ones, 20 doubles and 2 texts each, zstd Parquet, into 16 shards.

copy      pyarrow reads as many rows and writes them, file by file: the limit. Once with the
          defaults of its writer, and once as the mix writes (no dictionaries of fractions)
synthmix  `mix`, with everything that belongs to a release: digests of inputs and shards, recount,
          provenance columns, flush to disk
DuckDB    as many rows, exactly k of them by hash, ORDER BY hash, COPY TO 16 Parquet files
Polars    the same, lazily, with the streaming engine

All write zstd at level 1, which is pyarrow's default (those of DuckDB and Polars are slower), and
row groups of some 100,000 rows. Each runs in a process of its own, which reports its peak resident
memory; with --repeat, all run in turn, so that what else the machine does falls on all of them.
Inputs and outputs lie below --folder, a temporary one by default.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

FILES = 10
SHARDS = 16
GROUP = 131_072
WORDS = pa.array([f"word {i:04d}" for i in range(2_000)])
TEXTS = ["word", "code"]

_MEASURED = """
import json, resource, sys, time
from benchmarks import mixing
real, synthetic, output, rows = sys.argv[2:]
started = time.perf_counter()
getattr(mixing, sys.argv[1])(real, synthetic, output, int(rows))
print(json.dumps({
    "seconds": time.perf_counter() - started,
    "processor seconds": sum(resource.getrusage(resource.RUSAGE_SELF)[:2]),
    "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", type=int, default=[2_000_000, 10_000_000])
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for rows in options.rows:
            inputs = [Path(folder) / str(rows) / name for name in ("real", "synthetic")]
            for seed, path in enumerate(inputs):
                write_input(path, rows, seed)
            for run in range(options.repeat):
                for name in options.only:
                    found = measured(CONTENDERS[name], inputs, Path(folder) / "output", rows)
                    results.append({"rows": rows, "run": run, "task": name, **found})
                    print(results[-1], flush=True)
            shutil.rmtree(Path(folder) / str(rows))
    show(pd.DataFrame(results))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1))
    return 0


def show(table: pd.DataFrame) -> None:
    """Print the least and the middle of all runs, and seconds relative to a copy."""
    by_task = table.drop(columns="run").groupby(["rows", "task"], sort=False)
    least, middle = by_task.min(), by_task.median()
    least["median seconds"] = middle["seconds"]
    least["peak MB"] = by_task["peak MB"].max()
    for copy in ("copy", "copy, no dictionaries"):
        if copy in least.index.get_level_values("task"):
            limit = least["seconds"].xs(copy, level="task")
            rows = least.index.get_level_values("rows")
            least[f"times {copy}"] = least["seconds"] / limit.reindex(rows).to_numpy()
    print(least.round(2).to_string())


def write_input(folder: Path, rows: int, seed: int) -> None:
    """Normal doubles, a text of few values and one of many, in ten files."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    names = [*(f"x{i:02d}" for i in range(20)), *TEXTS]
    for number, part in enumerate(np.array_split(np.arange(rows), FILES)):
        writer = None
        for start in range(0, len(part), GROUP):
            size = min(GROUP, len(part) - start)
            doubles = list(rng.standard_normal((20, size)))
            codes = pa.array(rng.integers(0, 10**9, size)).cast(pa.string())
            words = WORDS.take(pa.array(rng.integers(0, len(WORDS), size)))
            group = pa.table([*doubles, words, codes], names=names)
            writer = writer or pq.ParquetWriter(
                folder / f"{number:02d}.parquet",
                group.schema,
                compression="zstd",
                use_dictionary=TEXTS,
            )
            writer.write_table(group)
        assert writer is not None
        writer.close()


def measured(task: str, inputs: list[Path], output: Path, rows: int) -> dict[str, float]:
    """Run a task in a process of its own and say what it took."""
    output.mkdir()
    arguments = [task, *map(str, inputs), str(output), str(rows)]
    out = subprocess.run(
        [sys.executable, "-c", _MEASURED, *arguments], capture_output=True, text=True, check=False
    )
    size = sum(file.stat().st_size for file in output.rglob("*") if file.is_file())
    shutil.rmtree(output)
    if out.returncode:
        raise RuntimeError(out.stderr[-3000:])
    found: dict[str, float] = json.loads(out.stdout.splitlines()[-1])
    return {**found, "written MB": size / 2**20, "load": os.getloadavg()[0]}


def plain_copy(real: str, synthetic: str, output: str, rows: int) -> None:
    _copy(real, synthetic, output, use_dictionary=True)


def copy_without_dictionaries(real: str, synthetic: str, output: str, rows: int) -> None:
    _copy(real, synthetic, output, use_dictionary=TEXTS)


def _copy(real: str, synthetic: str, output: str, *, use_dictionary: Any) -> None:
    """All files of the one side and half of those of the other, read and written again."""
    files = sorted(Path(real).iterdir()) + sorted(Path(synthetic).iterdir())[: FILES // 2]
    for number, path in enumerate(files):
        with pq.ParquetFile(path) as opened:
            target = Path(output) / f"{number:02d}.parquet"
            with pq.ParquetWriter(
                target, opened.schema_arrow, compression="zstd", use_dictionary=use_dictionary
            ) as writer:
                for batch in opened.iter_batches(GROUP):
                    writer.write_batch(batch)


def synthmix(real: str, synthetic: str, output: str, rows: int) -> None:
    from synthmix_dagster import mix

    mix(real, synthetic, ratio=0.5, output=output, rows_per_shard=_shard_rows(rows))


def duckdb(real: str, synthetic: str, output: str, rows: int) -> None:
    import duckdb

    database = duckdb.connect()
    database.execute(f"SET temp_directory = '{output}/spill'")
    database.execute("SET memory_limit = '1GB'")
    database.execute("SET preserve_insertion_order = false")
    place = "hash(filename, file_row_number)"
    sides = [
        f"read_parquet('{side}/*.parquet', filename = true, file_row_number = true)"
        for side in (real, synthetic)
    ]
    (cut,) = database.execute(
        f"SELECT max(h) FROM (SELECT {place} AS h FROM {sides[1]} ORDER BY h LIMIT {rows // 2})"
    ).fetchone() or (None,)
    columns = "* EXCLUDE (filename, file_row_number)"
    groups = -(-_shard_rows(rows) // GROUP)
    group = -(-_shard_rows(rows) // groups // 2048) * 2048
    database.execute(
        f"COPY (SELECT * EXCLUDE (h) FROM ("
        f"SELECT {columns}, 'real' AS source, hash({place}, 1) AS h FROM {sides[0]} UNION ALL "
        f"SELECT {columns}, 'synthetic' AS source, hash({place}, 2) AS h FROM {sides[1]} "
        f"WHERE {place} <= {cut}) ORDER BY h) "
        f"TO '{output}/mix' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, "
        f"ROW_GROUP_SIZE {group}, ROW_GROUPS_PER_FILE {groups})"
    )


def polars(real: str, synthetic: str, output: str, rows: int) -> None:
    import polars as pl

    def side(folder: str, name: str) -> pl.LazyFrame:
        numbered = pl.scan_parquet(f"{folder}/*.parquet").with_row_index("row")
        return numbered.with_columns(
            pl.lit(name).alias("source"),
            pl.col("row").hash(1).alias("chosen"),
            pl.col("row").hash(2 if name == "real" else 3).alias("place"),
        )

    priorities = side(synthetic, "synthetic").select("chosen").collect(engine="streaming")
    cut = priorities["chosen"].sort()[rows // 2 - 1]
    both = [side(real, "real"), side(synthetic, "synthetic").filter(pl.col("chosen") <= cut)]
    mixed = pl.concat(both).sort("place").drop("row", "chosen", "place")
    files = pl.PartitionBy(
        f"{output}/mix", max_rows_per_file=_shard_rows(rows), approximate_bytes_per_file=None
    )
    mixed.sink_parquet(
        files,
        compression="zstd",
        compression_level=1,
        row_group_size=GROUP,
        mkdir=True,
        engine="streaming",
    )


def _shard_rows(rows: int) -> int:
    return -(-rows * 3 // 2 // SHARDS)


CONTENDERS = {
    "copy": "plain_copy",
    "copy, no dictionaries": "copy_without_dictionaries",
    "synthmix": "synthmix",
    "DuckDB": "duckdb",
    "Polars": "polars",
}

if __name__ == "__main__":
    sys.exit(main())
