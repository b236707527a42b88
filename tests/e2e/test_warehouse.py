"""A PostgreSQL server as the warehouse: types, parameters, limits, kills, machines of their own."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi
import pandas as pd
import pyarrow as pa
import pytest
from machines import EXECUTOR
from scenario import good, rows
from servers import execute, postgres

from synthmix_dagster import (
    load_release,
    measure_distance,
    mix,
    open_dataset,
    recommend_ratio,
    verify_release,
)
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.snapshots import Asked, unload
from synthmix_dagster.data.sql import Query
from synthmix_dagster.data.warehouse import AdbcAccess, Warehouse
from synthmix_dagster.errors import DataError, QueryError
from synthmix_dagster.release.table_target import write_table

pytestmark = [pytest.mark.server, pytest.mark.slow]

PASSWORD = "hunter2planted"


@pytest.fixture(scope="module")
def uri() -> Iterator[str]:
    with postgres() as port:
        # The server trusts this machine: the password is there to be looked for.
        yield f"postgresql://dagster:{PASSWORD}@127.0.0.1:{port}/postgres"


def run(uri: str, *statements: str) -> list[Any]:
    """Run statements in one transaction, and return the rows of the last."""
    with adbc_driver_postgresql.dbapi.connect(uri) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        found = cursor.fetchall() if statements[-1].lower().startswith("select") else []
        connection.commit()
        return list(found)


def fill(uri: str, name: str, frame: pd.DataFrame) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with adbc_driver_postgresql.dbapi.connect(uri) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest(name, table, mode="replace")
        connection.commit()


def warehouse(uri: str) -> Warehouse:
    access = AdbcAccess("postgresql", uri)
    return Warehouse("warehouse", access, access.secrets)


def unloaded(
    uri: str, folder: Path, *parts: str, values: tuple[str, ...] = (), **options: Any
) -> Any:
    asked = Asked(warehouse(uri), Query(parts, values), "real", **options)
    return unload(asked, open_store(folder / "snapshots")).open("real")


def test_types_of_the_server_become_plain_ones_that_hold_every_value(
    uri: str, tmp_path: Path
) -> None:
    run(
        uri,
        "drop table if exists kinds",
        "create table kinds as select i::bigint id, (i / 4.0)::numeric(12, 2) amount,"
        " i::numeric whole, i / 3.0 free, case when i = 1 then 'NaN'::numeric else 1 end odd,"
        " gen_random_uuid() u, '{\"a\": 1}'::jsonb j, '10.0.0.1'::inet ip,"
        " timestamptz '2026-01-01 12:00+02' at, timestamp '2026-01-01 12:00' naive"
        " from generate_series(1, 300) i",
    )
    opened = unloaded(uri, tmp_path, "select * from kinds")
    kinds = {field.name: field.type for field in opened.schema}
    assert kinds["amount"] == pa.decimal128(12, 2)
    assert kinds["whole"] == pa.int64()
    assert pa.types.is_decimal(kinds["free"])
    assert kinds["odd"] == pa.float64()
    assert {kinds[name] for name in ("u", "j", "ip")} == {pa.string()}
    assert kinds["at"] == pa.timestamp("us", tz="UTC")
    assert kinds["naive"] == pa.timestamp("us")
    said = run(uri, "select id, amount::text, whole::text, free::text from kinds order by id")
    columns = opened.table.sort_by("id").select(["id", "amount", "whole", "free"])
    expected = pa.table(
        dict(zip(columns.column_names, map(list, zip(*said, strict=True)), strict=True))
    )
    for name in ("amount", "whole", "free"):
        assert columns[name].equals(expected[name].cast(kinds[name]))
    assert "'u' holds uuids and is read as text" in opened.notes
    # Another order of the rows is the same dataset.
    again = unloaded(uri, tmp_path / "two", "select * from kinds order by random()")
    assert again.fingerprint == opened.fingerprint


def test_odd_types_of_the_server_arrive_as_their_values(uri: str, tmp_path: Path) -> None:
    asked = {
        "12.5::money": "12.50",
        "timetz '12:30+02'": "12:30:00+02",
        "point(1, 2)": "(1,2)",
        "int4range(1, 5)": "[1,5)",
        "B'101'": "101",
        "'<a/>'::xml": "<a/>",
        "'pg_class'::regclass": "pg_class",
        "'08:00:2b:01:02:03'::macaddr": "08:00:2b:01:02:03",
        "array[1.5::numeric, null]": "[1.5, None]",
        "array['a', null]": "['a', None]",
        "'Infinity'::numeric": "inf",
        "'-Infinity'::float8": "-inf",
        "time '12:30:00.5'": "12:30:00.500000",
        "'\\x00ff'::bytea": r"b'\x00\xff'",
        "date '0001-02-03'": "0001-02-03",
        "'ok'::char(4)": "ok  ",
        "null": "None",
    }
    columns = ", ".join(f'{sql} as "C ""{n}"' for n, sql in enumerate(asked))
    # A comment at the end, and a parameter.
    parts = (f"select {columns} from (values (1)) v(i) where i = ", " -- one row")
    opened = unloaded(uri, tmp_path, *parts, values=("1",))
    assert opened.columns == [f'C "{n}' for n in range(len(asked))]
    (row,) = opened.table.to_pylist()
    assert [str(value) for value in row.values()] == list(asked.values())
    assert "'C \"1' has a type of its database and is read as text" in opened.notes


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("'infinity'::timestamp", "it holds infinite times"),
        ("'-infinity'::timestamptz", "it holds infinite times"),
        ("'infinity'::date", "it holds infinite times"),
        ("interval '1 day'", "it holds intervals"),
        ("array[interval '1 day']", "it holds values that no file holds"),
        ("1 as v, 2", "two columns have this name"),
    ],
)
def test_what_a_file_does_not_hold_is_refused_by_name(
    uri: str, tmp_path: Path, sql: str, why: str
) -> None:
    with pytest.raises(DataError, match=f"dataset 'real', column 'v': {why}"):
        unloaded(uri, tmp_path, f"select {sql} as v")


def test_parameters_are_bound_in_the_type_that_the_server_finds(uri: str, tmp_path: Path) -> None:
    run(
        uri,
        "drop table if exists days",
        "create table days as select date '2026-01-01' + i % 3 as day, i as n,"
        " timestamp '2026-01-01' + i * interval '1 hour' as at, 'k' || i as name"
        " from generate_series(0, 299) i",
    )
    query = ("select * from days where day = ", " and at >= ", " and at < ", "")
    values = ("2026-01-02", "2026-01-01T00:00:00", "2026-01-03T00:00:00")
    assert unloaded(uri, tmp_path, *query, values=values).rows == 16
    hostile = "k1' or '1' = '1"
    with pytest.raises(QueryError, match="the query returned no rows"):
        unloaded(uri, tmp_path, "select * from days where name = ", "", values=(hostile,))
    with pytest.raises(QueryError, match=r"the query failed .*invalid input syntax for type date"):
        unloaded(uri, tmp_path, "select * from days where day = ", "", values=("x'y",))


def test_a_query_only_reads_has_a_limit_and_shows_no_password(uri: str, tmp_path: Path) -> None:
    run(
        uri,
        "drop table if exists kept",
        "create table kept as select 1 as x",
        "create or replace function sly() returns int as"
        " $$ insert into kept values (2) returning 1 $$ language sql",
    )
    with pytest.raises(QueryError, match="cannot execute INSERT in a read-only transaction"):
        unloaded(uri, tmp_path, "select sly() as x")
    assert run(uri, "select count(*) from kept") == [(1,)]
    begun = time.monotonic()
    with pytest.raises(QueryError, match=r"took longer than 0.5 s") as caught:
        unloaded(uri, tmp_path, "select pg_sleep(60), 1 as x", time_limit=0.5)
    assert time.monotonic() - begun < 20
    assert PASSWORD not in str(caught.value) + repr(caught.value.__cause__)
    with pytest.raises(
        QueryError, match=r"it cannot be opened .*database .none. does not exist"
    ) as caught:
        unloaded(uri.replace("/postgres", "/none"), tmp_path, "select 1")
    assert PASSWORD not in str(caught.value) + repr(caught.value.__cause__)


def test_a_sample_of_a_table_is_that_of_the_same_rows_in_a_frame(uri: str, tmp_path: Path) -> None:
    sides = {"real": rows(300, seed=0), "synthetic": rows(700, seed=1)}
    frames = {side: rows.assign(id=range(len(rows))) for side, rows in sides.items()}
    stored = {}
    for side, frame in frames.items():
        fill(uri, f"sampled_{side}", frame)
        asked = Asked(
            warehouse(uri), Query((f"select * from sampled_{side} order by random()",)), side
        )
        stored[side] = unload(asked, open_store(tmp_path / side)).open(side)
    options: dict[str, Any] = {"key": "id", "sample_rows": 120, "permutations": 3, "target": "y"}
    one, two = (
        measure_distance(given["real"], given["synthetic"], **options) for given in (frames, stored)
    )
    assert (one.gap, one.interval, one.p_value) == (two.gap, two.interval, two.p_value)
    advised = [
        recommend_ratio(
            given["real"],
            given["synthetic"],
            target="y",
            task="regression",
            key="id",
            sample_rows=120,
        )
        for given in (frames, stored)
    ]
    assert advised[0].ratio == advised[1].ratio


def test_a_table_keeps_its_views_and_is_written_whole_or_not_at_all(
    uri: str, tmp_path: Path
) -> None:
    run(uri, "drop schema if exists analytics cascade")
    release = mix(rows(50, seed=0), good(), ratio=1.0, output=tmp_path / "one")
    write_table(release, warehouse(uri), "analytics.churn")
    run(uri, "create view watching as select count(*) as n from analytics.churn")
    larger = mix(rows(60, seed=2), good(), ratio=1.0, output=tmp_path / "two")
    write_table(larger, warehouse(uri), "analytics.churn")
    assert run(uri, "select n from watching") == [(120,)]
    whole = unloaded(uri, tmp_path, "select * from analytics.churn")
    written = open_dataset(larger.to_arrow(), "release")
    assert whole.table.select(["y"]).to_pandas()["y"].sum() == pytest.approx(
        written.frame()["y"].sum()
    )
    # A table that others depend on is not dropped for other columns.
    other = mix(rows(50, seed=0)[["x", "y"]], good()[["x", "y"]], ratio=1.0, output=tmp_path / "o")
    with pytest.raises(QueryError, match="other objects depend on it"):
        write_table(other, warehouse(uri), "analytics.churn")
    assert run(uri, "select n from watching") == [(120,)]
    for each in (release, larger, release):
        write_table(each, warehouse(uri), "analytics.history", append=True)
    counted = run(uri, "select release_id, count(*) from analytics.history group by 1 order by 2")
    assert counted == [(release.release_id, 100), (larger.release_id, 120)]


WRITER = """
import sys
from synthmix_dagster import load_release
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.snapshots import Asked, unload
from synthmix_dagster.data.sql import Query
from synthmix_dagster.data.warehouse import AdbcAccess, Warehouse
from synthmix_dagster.release.table_target import write_table

what, uri, folder = sys.argv[1:]
warehouse = Warehouse("warehouse", AdbcAccess("postgresql", uri))
print("ready", flush=True)
sys.stdin.readline()
if what == "snapshot":
    unload(Asked(warehouse, Query(("select * from wide",)), "real"), open_store(folder))
else:
    write_table(load_release(folder), warehouse, "killed")
print("done", flush=True)
"""


@pytest.mark.parametrize("what", ["snapshot", "publish"])
def test_kills_leave_yesterdays_snapshot_and_table(uri: str, tmp_path: Path, what: str) -> None:
    """30 kills in all, spread over the time that the work takes."""
    run(
        uri,
        "drop table if exists wide, killed",
        "create table wide as select i, md5(i::text) as a, random() as x"
        " from generate_series(1, 200000) i",
        "create table killed as select 'yesterday' as said",
    )
    folder = tmp_path / "work"
    if what == "publish":
        real = open_dataset(pa.table({"x": range(100_000), "y": [1.5] * 100_000}), "real")
        generated = pa.table({"x": range(100_000, 300_000), "y": [2.5] * 200_000})
        mix(real, generated, ratio=1.0, output=folder)

    def begun() -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, what, uri, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def released(process: "subprocess.Popen[str]") -> None:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()

    def whole() -> list[Any]:
        """What a reader sees: snapshots that open, or the rows of the table."""
        if what == "publish":
            return run(uri, "select count(*) from killed")
        places = open_store(folder).below("releases")
        return [name for name in places.folders() if places.below(name).exists("manifest.json")]

    timed = begun()
    start = time.monotonic()
    released(timed)
    assert timed.wait() == 0
    takes = time.monotonic() - start
    if what == "publish":
        run(uri, "drop table killed", "create table killed as select 'yesterday' as said")
    before, random_times, seen = whole(), random.Random(7), set()
    for _ in range(15):
        process = begun()
        released(process)
        time.sleep(random_times.uniform(0.02, 1.0) * takes)
        process.kill()
        finished = process.wait() == 0
        found = whole()
        seen.add(str(found))
        if what == "publish":
            # All of it or yesterday's, also when the kill came after the commit.
            assert found in ([(1,)], [(200_000,)])
        else:
            assert set(before) <= set(found)
            for name in found:
                manifest = (folder / "releases" / name / "manifest.json").read_bytes()
                parsed = json.loads(manifest)
                assert parsed["rows"] == 200_000
                for shard in parsed["shards"]:
                    assert (folder / "releases" / name / shard["path"]).stat().st_size == shard[
                        "bytes"
                    ]
        assert finished or process.returncode < 0
    last = begun()
    released(last)
    assert last.wait() == 0
    assert whole()
    assert list(folder.rglob(".writing-*")) == []


MACHINES = (
    EXECUTOR
    + """
from dagster_duckdb import DuckDBResource
from synthmix_dagster import SynthMixConnection

def job():
    kinds = {{
        "postgres": lambda: SynthMixConnection(driver="postgresql", uri=dg.EnvVar("WAREHOUSE_URI")),
        "duckdb": lambda: DuckDBResource(database=GIVEN["database"]),
    }}
    defs = dg.Definitions.merge(
        build_synthmix_defs(**GIVEN["options"]),
        dg.Definitions(executor=machines, resources={{"warehouse": kinds[GIVEN["kind"]]()}}),
    )
    return defs.resolve_job_def("demo_job")
"""
)


@pytest.mark.parametrize("kind", ["postgres", "duckdb"])
def test_every_step_on_a_machine_of_its_own(
    uri: str, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the store is shared: later steps read the snapshot, the table comes back."""
    real, database = rows(100, seed=0).assign(id=range(100)), tmp_path / "w.duckdb"
    if kind == "postgres":
        fill(uri, "customers", real)
        fill(uri, "generated", good())
        run(uri, "drop table if exists churn_back")
    else:
        import duckdb

        with duckdb.connect(str(database)) as connection:
            for name, frame in (("customers", real), ("generated", good())):
                connection.register("given", frame)
                connection.execute(f"create table {name} as select * from given")
    for name in ("machines", "home", "project"):
        (tmp_path / name).mkdir()
    options = {
        "name": "demo",
        "real": {"table": "customers", "connection": "warehouse"},
        "synthetic": {"query": "select * from generated", "connection": "warehouse"},
        "target": "y",
        "task": "regression",
        "threshold": 0.5,
        "key": "id",
        "output_root": str(tmp_path / "store"),
        "permutations": 19,
        "directions": 20,
        "publish": {"table": "churn_back", "connection": "warehouse"},
    }
    given = {
        "machines": str(tmp_path / "machines"),
        "log": str(tmp_path / "steps.log"),
        "environment": {"WAREHOUSE_URI": uri},
        "options": options,
        "kind": kind,
        "database": str(database),
    }
    (tmp_path / "given.json").write_text(json.dumps(given))
    monkeypatch.setenv("WAREHOUSE_URI", uri)
    project = MACHINES.format(given=str(tmp_path / "given.json"))
    succeeded, said = execute(project, tmp_path / "project", tmp_path / "home")
    steps = (tmp_path / "steps.log").read_text()
    assert succeeded, f"{steps}\n{said[-3000:]}"
    assert [line.split()[1] for line in steps.splitlines()] == ["0"] * 6
    release = verify_release(tmp_path / "store" / "demo" / "latest")
    back = release.details.realised.rows
    if kind == "postgres":
        assert run(uri, "select count(*) from churn_back") == [(back,)]
    # The same rows as a file and as a frame: the same rows in the release.
    ratio = release.details.mix.ratio
    real.to_parquet(tmp_path / "real.parquet")
    good().to_parquet(tmp_path / "good.parquet")
    for n, sides in enumerate(
        [(real, good()), (tmp_path / "real.parquet", tmp_path / "good.parquet")]
    ):
        other = mix(*sides, ratio=ratio, key="id", ignore=["id"], output=tmp_path / f"other{n}")
        left, right = (
            each.to_pandas().query("synthmix_source == 'real'").drop(columns="synthmix_row_id")
            for each in (release, other)
        )
        assert sorted(left["id"]) == sorted(right["id"])
        assert load_release(tmp_path / f"other{n}").details.realised.rows == back
    # The planted password is nowhere: not in the store, the event log or what steps printed.
    for path in (*(tmp_path / "store").rglob("*"), *(tmp_path / "home").rglob("*")):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path
    assert PASSWORD not in said
