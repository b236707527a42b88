"""A MariaDB server, where every change of a table commits at once: tables are swapped in whole."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from scenario import good, rows
from servers import MARIADB_DRIVER, mariadb, unavailable

from synthmix_dagster import mix, open_dataset
from synthmix_dagster.data.dialects import session_of
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.sessions import Target
from synthmix_dagster.data.snapshots import Asked, unload
from synthmix_dagster.data.sql import Query
from synthmix_dagster.data.warehouse import Warehouse
from synthmix_dagster.errors import QueryError
from synthmix_dagster.release.handle import Release
from synthmix_dagster.release.table_target import write_table

pytestmark = [pytest.mark.server, pytest.mark.slow]


class MariaDb:
    """Connections as a resource gives them, through the server's ODBC driver."""

    def __init__(self, port: int) -> None:
        self.uri = (
            f"Driver={MARIADB_DRIVER};Server=127.0.0.1;Port={port};User=dagster;Database=shop;"
            "Charset=utf8mb4"
        )

    @contextmanager
    def get_connection(self) -> Iterator[Any]:
        import adbcbridge

        with adbcbridge.connect(uri=self.uri) as connection:
            yield connection

    def run(self, *statements: str) -> list[Any]:
        with self.get_connection() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            found = cursor.fetchall() if statements[-1].startswith("select") else []
            connection.commit()
            return list(found)


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDb]:
    try:
        import adbcbridge  # noqa: F401
    except ImportError:
        unavailable("adbcbridge is not installed")
    with mariadb() as port:
        yield MariaDb(port)


@pytest.fixture
def warehouse(server: MariaDb) -> Warehouse:
    return Warehouse("warehouse", server)


def released(folder: Path, real: Any, synthetic: Any) -> Release:
    return mix(real, synthetic, ratio=1.0, output=folder)


def left_beside(server: MariaDb) -> list[Any]:
    return server.run(
        "select table_name from information_schema.tables where table_name like 'synthmix%'"
    )


def test_values_come_back_and_what_depends_on_the_table_stays(
    server: MariaDb, warehouse: Warehouse, tmp_path: Path
) -> None:
    def side(first: int, count: int) -> pa.Table:
        numbers = range(first, first + count)
        return pa.table(
            {
                "n": pa.array(numbers, pa.int64()),
                "u": pa.array([2**64 - 1 - i for i in numbers], pa.uint64()),
                "x": pa.array([i / 7 for i in numbers], pa.float64()),
                "s": [f"ä🙂 {i}" for i in numbers],
                "b": [None if i % 5 == 0 else i % 2 == 0 for i in numbers],
                "day": pa.array([date(2026, 1, 1 + i % 20) for i in numbers]),
                "at": pa.array(
                    [datetime(2026, 1, 1, 12, 0, 0, i, tzinfo=timezone.utc) for i in numbers],
                    pa.timestamp("us", "Europe/Berlin"),
                ),
                "amount": pa.array([Decimal(i) / 4 for i in numbers], pa.decimal128(12, 2)),
            }
        )

    server.run("drop database if exists analytics")
    write_table(released(tmp_path / "one", side(0, 40), side(100, 40)), warehouse, "analytics.t")
    server.run(
        "create view shop.watching as select count(*) as n from analytics.t",
        "create index by_number on analytics.t (n)",
    )
    release = released(tmp_path / "two", side(0, 50), side(100, 50))
    write_table(release, warehouse, "analytics.t")
    assert server.run("select n from shop.watching") == [(100,)]
    indices = "select count(*) from information_schema.statistics where index_name = 'by_number'"
    assert server.run(indices) == [(1,)]
    found = server.run(
        "select n, cast(u as char), x, s, b, day, cast(at as char), cast(amount as char)"
        " from analytics.t order by n"
    )
    expected = pa.concat_tables([side(0, 50), side(100, 50)]).to_pylist()
    for one, other in zip(found, expected, strict=True):
        assert one[:6] == (
            other["n"],
            str(other["u"]) if isinstance(one[1], str) else other["u"],
            other["x"],
            other["s"],
            other["b"],
            other["day"],
        )
        assert one[6] == f"2026-01-01 12:00:00.{other['n']:06d}"
        assert one[7] == str(other["amount"])
    assert left_beside(server) == []
    # A table of other columns is replaced, but nothing is added to it.
    other = released(tmp_path / "o", side(0, 50).select(["n"]), side(100, 50).select(["n"]))
    with pytest.raises(QueryError, match="the table has other columns"):
        write_table(other, warehouse, "analytics.t", append=True)
    assert server.run("select n from shop.watching") == [(100,)]
    write_table(other, warehouse, "analytics.t")
    ((total,),) = server.run("select sum(n) from analytics.t")
    assert int(total) == sum(range(50)) + sum(range(100, 150))


def test_releases_and_partitions_replace_their_own_rows(
    server: MariaDb, warehouse: Warehouse, tmp_path: Path
) -> None:
    server.run("drop table if exists history, parts")
    small = released(tmp_path / "small", rows(50, seed=0), good())
    large = released(tmp_path / "large", rows(60, seed=2), good())
    for each in (small, large, small):
        write_table(each, warehouse, "history", append=True)
    counted = "select release_id, count(*) from history group by release_id order by 2"
    assert server.run(counted) == [(small.release_id, 100), (large.release_id, 120)]
    for release, day in ((small, "a"), (small, "b"), (large, "a")):
        write_table(release, warehouse, "parts", partition=day)
    counted = "select partition_key, count(*) from parts group by partition_key order by 1"
    assert server.run(counted) == [("a", 120), ("b", 100)]


def test_a_table_that_would_lose_its_triggers_is_refused(
    server: MariaDb, warehouse: Warehouse, tmp_path: Path
) -> None:
    server.run(
        "create or replace table watched (x double)",
        "insert into watched values (1)",
        "create trigger one before insert on watched for each row set new.x = 2",
    )
    release = released(tmp_path, rows(50, seed=0), good())
    with pytest.raises(QueryError, match="the table has triggers, which it would lose"):
        write_table(release, warehouse, "watched")
    assert server.run("select x from watched") == [(1.0,)]
    server.run("drop table watched")


def test_writers_take_turns_and_what_a_living_one_writes_stays(
    server: MariaDb, warehouse: Warehouse
) -> None:
    server.run("create or replace table turns (x bigint)", "insert into turns values (0)")

    def given(value: int) -> pa.RecordBatchReader:
        table = pa.table({"x": pa.array([value] * 3, pa.int64())})
        return pa.RecordBatchReader.from_batches(table.schema, table.to_batches())

    with warehouse.session() as living:
        assert living.write(Target("turns"), given(1), 60) == 3
        with pytest.raises(QueryError, match=r"another run is writing|took longer than 1 s"):
            warehouse.write(Target("turns"), given(2), 3, seconds=1)
        assert server.run("select x from turns") == [(0,)]
        assert len(left_beside(server)) == 1
        living.commit()
        living.end()
    assert server.run("select x from turns") == [(1,)] * 3
    warehouse.write(Target("turns"), given(2), 3)
    assert server.run("select x from turns") == [(2,)] * 3
    # A writer that is gone in the middle: its lock went with it, and the next removes its rows.
    with server.get_connection() as connection:
        dying = session_of(connection)
        assert dying is not None
        dying.write(Target("turns"), given(4), 60)
        dying.cursor.close()  # type: ignore[attr-defined]
    assert server.run("select x from turns") == [(2,)] * 3
    assert len(left_beside(server)) == 1
    warehouse.write(Target("turns"), given(5), 3)
    assert server.run("select x from turns") == [(5,)] * 3
    assert left_beside(server) == []
    # Neither too few rows nor an error in the middle change anything.
    with pytest.raises(QueryError, match="would have 3 rows in the place of 4"):
        warehouse.write(Target("turns"), given(3), 4)
    assert server.run("select x from turns") == [(5,)] * 3
    assert left_beside(server) == []


WRITER = """
import sys
from contextlib import contextmanager
import adbcbridge
from synthmix_dagster import load_release
from synthmix_dagster.data.warehouse import Warehouse
from synthmix_dagster.release.table_target import write_table

class Opener:
    @contextmanager
    def get_connection(self):
        with adbcbridge.connect(uri=sys.argv[1]) as connection:
            yield connection

release = load_release(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
write_table(release, Warehouse("warehouse", Opener()), "killed")
print("done", flush=True)
"""


def test_kills_leave_yesterdays_table(server: MariaDb, tmp_path: Path) -> None:
    """Killed at random: the rows of before or all of the new ones, and nothing left over."""
    real = pa.table({"x": range(20_000), "y": [1.5] * 20_000})
    released(tmp_path, real, pa.table({"x": range(20_000, 40_000), "y": [2.5] * 20_000}))
    server.run("create or replace table killed (said text)", "insert into killed values ('before')")

    def begun() -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, server.uri, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        return process

    start = time.monotonic()
    assert begun().wait() == 0
    takes = time.monotonic() - start
    server.run("create or replace table killed (said text)", "insert into killed values ('before')")
    times = random.Random(7)
    for _ in range(8):
        process = begun()
        time.sleep(times.uniform(0.02, 0.9) * takes)
        process.kill()
        process.wait()
        assert server.run("select count(*) from killed") in ([(1,)], [(40_000,)])
    assert begun().wait() == 0
    ((count, total),) = server.run("select count(*), sum(x) from killed")
    assert (count, int(total)) == (40_000, sum(range(40_000)))
    assert left_beside(server) == []


def test_rows_are_read_with_parameters_and_only_read(
    server: MariaDb, warehouse: Warehouse, tmp_path: Path
) -> None:
    server.run(
        "create or replace table days (day date, n bigint, s text) character set utf8mb4",
        "insert into days values ('2026-01-01', 1, 'ä🙂'), ('2026-01-02', 2, null)",
        "create or replace function sly() returns int begin insert into days values"
        " ('2026-01-03', 3, 'x'); return 1; end",
    )

    def unloaded(*parts: str, values: tuple[str, ...] = (), **options: Any) -> Any:
        asked = Asked(warehouse, Query(parts, values), "real", **options)
        return unload(asked, open_store(tmp_path / "query")).open("real")

    opened = unloaded("select * from days where day = ", "", values=("2026-01-01",))
    assert opened.table.to_pylist() == [{"day": date(2026, 1, 1), "n": 1, "s": "ä🙂"}]
    with pytest.raises(QueryError, match="READ ONLY transaction"):
        unloaded("select sly() as x")
    with pytest.raises(QueryError, match=r"the query failed .*doesn.t exist"):
        unloaded("select * from nowhere")
    table = Asked(warehouse, Query(table="shop.days"), "real")
    frame = open_dataset(unload(table, open_store(tmp_path / "t")).open("real"))
    assert frame.rows == 2
