"""A snapshot of a table beside a plain streaming unload by the same driver, in the same run.

    python -m benchmarks.warehouse --uri postgresql://user@host/database --rows 3000000
    python -m benchmarks.warehouse --duckdb shop.duckdb --rows 3000000

A table of five columns (a whole number, an amount of `numeric(12, 2)`, a float, a date, a text) is
made and unloaded in turns, each time in a process of its own: plainly to Parquet, and as a
snapshot with its digest. Printed are the times of each, the ratio of the shortest ones, processor
time and peak memory of the process.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TABLE = """
select i::bigint as id, ((i::bigint * 7919) % 100000 / 100.0)::numeric(12, 2) as amount,
    random() as x, date '2026-01-01' + (i % 300)::int as day, 'segment ' || (i % 7) as segment
from {series}
"""

#: Runs in a process of its own, so that its memory is known.
UNLOAD = """
import json, resource, sys, tempfile, time
from pathlib import Path
import pyarrow.parquet as pq
import adbc_driver_postgresql.dbapi, duckdb, pandas, numpy
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.snapshots import Asked, unload
from synthmix_dagster.data.sql import Query
from synthmix_dagster.data.warehouse import AdbcAccess, DuckDbAccess, Warehouse

how, kind, address = sys.argv[1:]

def plainly(folder):
    def write(reader):
        with pq.ParquetWriter(folder / "rows.parquet", reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
    if kind == "duckdb":
        with duckdb.connect(address, read_only=True) as connection:
            write(connection.sql("select * from synthmix_bench").to_arrow_reader(65536))
    else:
        with adbc_driver_postgresql.dbapi.connect(address) as c, c.cursor() as cursor:
            cursor.execute("select * from synthmix_bench")
            write(cursor.fetch_record_batch())

def snapshot(folder):
    access = DuckDbAccess(address) if kind == "duckdb" else AdbcAccess("postgresql", address)
    warehouse = Warehouse("warehouse", access)
    unload(Asked(warehouse, Query(table="synthmix_bench"), "real"), open_store(folder))

with tempfile.TemporaryDirectory() as folder:
    begun, worked = time.perf_counter(), time.process_time()
    (plainly if how == "plain" else snapshot)(Path(folder))
    took = time.perf_counter() - begun
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"s": took, "cpu": time.process_time() - worked, "mb": peak}))
"""


def made(kind: str, address: str, rows: int) -> None:
    if kind == "duckdb":
        import duckdb

        with duckdb.connect(address) as connection:
            connection.execute("drop table if exists synthmix_bench")
            series = f"range({rows}) r(i)"
            connection.execute(f"create table synthmix_bench as {TABLE.format(series=series)}")
        return
    import adbc_driver_postgresql.dbapi

    series = f"generate_series(1, {rows}) i"
    with adbc_driver_postgresql.dbapi.connect(address) as connection:
        with connection.cursor() as cursor:
            cursor.execute("drop table if exists synthmix_bench")
            cursor.execute(f"create table synthmix_bench as {TABLE.format(series=series)}")
        connection.commit()


def unloaded(how: str, kind: str, address: str) -> dict[str, Any]:
    words = [sys.executable, "-c", UNLOAD, how, kind, address]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uri", help="of a PostgreSQL server")
    parser.add_argument("--duckdb", help="file, by default a temporary one")
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kind = "postgresql" if given.uri else "duckdb"
        address = given.uri or given.duckdb or str(Path(folder) / "bench.duckdb")
        made(kind, address, given.rows)
        turns = [
            {how: unloaded(how, kind, address) for how in ("plain", "snapshot")}
            for _ in range(given.turns)
        ]
    for how in ("plain", "snapshot"):
        times = ", ".join(f"{turn[how]['s']:.2f}" for turn in turns)
        cpu = min(turn[how]["cpu"] for turn in turns)
        peak = max(turn[how]["mb"] for turn in turns)
        print(f"{kind} {given.rows:,} rows, {how}: {times} s; {cpu:.2f} CPU s; {peak:.0f} MB")
    best = {how: min(turn[how]["s"] for turn in turns) for how in ("plain", "snapshot")}
    print(f"{kind} {given.rows:,} rows: ratio {best['snapshot'] / best['plain']:.2f}")


if __name__ == "__main__":
    main()
