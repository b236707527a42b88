"""A query is unloaded once; its rows are those of a frame, whatever order they come in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster import mix, open_dataset
from synthmix_dagster.data.identity import identify, row_ids, scan
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.snapshots import Asked, Snapshot, prune, unload
from synthmix_dagster.data.sql import Query
from synthmix_dagster.data.store import Store
from synthmix_dagster.data.view import View
from synthmix_dagster.data.warehouse import AdbcAccess, Warehouse
from synthmix_dagster.errors import ConfigError, DataError, QueryError

TABLE = """
select i as id, (i % 4)::decimal(12, 2) / 4 as amount, i % 3 as few, 'c' || (i % 5) as c,
    date '2026-01-01' + (i % 3)::int as day,
    case when i % 7 = 0 then null else i / 3.0 end as x
from range(500) r(i)
"""


class DuckDb:
    """A database file, opened for every query as Dagster's resource does."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def get_connection(self) -> Iterator[Any]:
        with duckdb.connect(str(self.path)) as connection:
            yield connection

    def run(self, sql: str) -> None:
        with self.get_connection() as connection:
            connection.execute(sql)


@pytest.fixture
def database(tmp_path: Path) -> DuckDb:
    found = DuckDb(tmp_path / "w.duckdb")
    found.run(f"create table t as {TABLE}")
    return found


def asked(database: Any, sql: str = "select * from t", **options: Any) -> Asked:
    return Asked(Warehouse("warehouse", database), Query((sql,)), "real", **options)


def place(tmp_path: Path, kind: str = "local") -> Store:
    return open_store(tmp_path / "snapshots" if kind == "local" else f"memory://{tmp_path}")


def shown(folder: Store) -> list[str]:
    """Names of the snapshots that there are."""
    with folder.shelf().hold("any") as held:
        return list(held.shown())


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_a_snapshot_holds_the_rows_of_a_frame_in_any_order(
    tmp_path: Path, database: DuckDb, kind: str
) -> None:
    # Repeated rows: identity is content with a counter.
    sql = "select few, c, amount, day from t"
    with database.get_connection() as connection:
        rows = connection.sql(sql).to_arrow_table()
    frame = open_dataset(rows.take(np.random.default_rng(1).permutation(len(rows))), "real")
    store = place(tmp_path, kind)
    stored = [
        unload(asked(database, f"{sql} order by hash(random())"), store.below(str(n))).open("real")
        for n in range(2)
    ]
    for opened in stored:
        assert opened.fingerprint == frame.fingerprint
        assert opened.schema == frame.schema
        assert opened.rows == 500
        assert identify(opened) == {"by": "content"}
        assert sorted(row_ids(opened)) == sorted(row_ids(frame))
        # A row keeps its identity, whatever columns are read.
        by_id = {
            i: row
            for part in scan(opened, columns=["c", "day"])
            for i, row in zip(part.ids.tolist(), part.table.to_pylist(), strict=True)
        }
        for part in scan(frame, columns=["c", "day"]):
            for i, row in zip(part.ids.tolist(), part.table.to_pylist(), strict=True):
                assert by_id[i] == row


def test_the_same_table_gives_the_same_release(tmp_path: Path, database: DuckDb) -> None:
    generated = pd.DataFrame({"c": ["c1", "c2"] * 200, "x": np.arange(400) / 7})
    releases = []
    for n in range(2):
        order = f"select c, x from t order by hash(id + {n})"
        opened = unload(
            Asked(
                Warehouse("warehouse", database),
                Query(("select c, x from (" + order + ")",)),
                "real",
            ),
            place(tmp_path).below(str(n)),
        ).open("real")
        # The query is part of the id; the rows and their order are not a matter of it.
        releases.append(
            mix(replace(opened, origin={}), generated, ratio=0.5, output=tmp_path / f"out{n}")
        )
    one, two = releases
    assert one.release_id == two.release_id
    assert [s.read_bytes() for s in one.shards] == [s.read_bytes() for s in two.shards]


def test_numbers_of_any_length_get_their_type_from_all_values(tmp_path: Path) -> None:
    numeric = pa.opaque(pa.string(), "numeric", "PostgreSQL")

    def batch(*texts: str | None) -> pa.RecordBatch:
        column = pa.ExtensionArray.from_storage(numeric, pa.array(texts, pa.string()))
        return pa.record_batch([column, pa.array(range(len(texts)))], ["n", "i"])

    class Arrow:
        adbc_connection = type("", (), {"set_autocommit": lambda *_: None})()

        def __init__(self) -> None:
            self.cursor = lambda: self
            batches = [batch("1.5", None), batch("-1234567890123456789", "0.25")]
            self.reader = pa.RecordBatchReader.from_batches(batches[0].schema, batches)
            self.get_connection = lambda: contextmanager(lambda: iter([self]))()

        def adbc_get_info(self) -> dict[str, str]:
            return {"vendor_name": "Invented"}

        def execute(self, *_: Any) -> None: ...
        def close(self) -> None: ...
        def rollback(self) -> None: ...
        def fetch_record_batch(self) -> pa.RecordBatchReader:
            return self.reader

    opened = unload(asked(Arrow()), place(tmp_path)).open("real")
    assert opened.schema.field("n").type == pa.decimal128(38, 2)
    assert [None if v is None else str(v) for v in opened.table["n"].to_pylist()] == [
        "1.50",
        None,
        "-1234567890123456789.00",
        "0.25",
    ]


def test_columns_names_and_filters_decide_what_is_stored(tmp_path: Path, database: DuckDb) -> None:
    view = View.of(["id", "c"], {"c": "kind"}, [("few", "==", 1)])
    snapshot = unload(asked(database, view=view), place(tmp_path))
    opened = snapshot.open("real")
    assert opened.columns == ["id", "kind"]
    assert opened.rows == 167
    assert opened.origin["connection"] == "warehouse"
    assert opened.origin["columns"] == ["id", "c"]
    with pytest.raises(ConfigError, match="has no column 'nope'"):
        unload(asked(database, view=View.of(["nope"])), place(tmp_path))


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_an_unchanged_table_keeps_its_snapshot_and_another_one_replaces_it(
    tmp_path: Path, database: DuckDb, kind: str
) -> None:
    folder = place(tmp_path, kind)
    first = unload(asked(database), folder)
    assert unload(asked(database, "select * from t"), folder, first) == first
    assert shown(folder) == [first.name]
    database.run("update t set x = 7 where id = 3")
    second = unload(asked(database), folder, first)
    assert second != first
    # Until it is pruned, what a release was made from stays.
    old = first.open("real").fingerprint
    prune(folder, second, [old])
    assert first.open("real").fingerprint == old
    prune(folder, second, [old], keep=2)
    assert first.open("real").fingerprint == old
    prune(folder, second, [old], keep=1)
    assert shown(folder) == [second.name]
    with pytest.raises(DataError, match=r"is gone\. Materialise the dataset again"):
        first.open("real")


@pytest.mark.parametrize("file", ["data/part-00000.parquet", "repeated.bin", "manifest.json"])
def test_a_snapshot_that_was_changed_is_refused(
    tmp_path: Path, database: DuckDb, file: str
) -> None:
    snapshot = unload(asked(database, "select few, c from t"), place(tmp_path))
    other = unload(
        asked(database, "select few + 1 as few, c from t where id < 100"), place(tmp_path)
    )
    changed = snapshot.store.path / file
    changed.write_bytes((other.store.path / file).read_bytes())
    with pytest.raises(DataError, match="was changed after it was written"):
        snapshot.open("real")


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("select * from missing", "the query failed .*missing"),
        ("select * from t where id < 0", "the query returned no rows"),
        ("select id, 1 / 0 as c, error('boom ' || id) from t", "the query failed .*boom"),
    ],
)
def test_a_query_that_fails_loses_nothing(
    tmp_path: Path, database: DuckDb, sql: str, why: str
) -> None:
    folder = place(tmp_path)
    before = unload(asked(database), folder)
    with pytest.raises(QueryError, match=f"dataset 'real', connection 'warehouse', query .*{why}"):
        unload(asked(database, sql), folder, before)
    assert folder.below("releases").folders() == [before.name]
    assert before.open("real").rows == 500


def test_a_query_that_takes_too_long_is_ended(tmp_path: Path, database: DuckDb) -> None:
    # Both sides of the condition: else it is tried on one of them, which takes a second only.
    endless = (
        "select a.range from range(100000000) a, range(100000) b where hash(a.range + b.range) = 1"
    )
    with pytest.raises(QueryError, match=r"took longer than 0.3 s") as caught:
        unload(asked(database, endless, time_limit=0.3), place(tmp_path))
    assert caught.value.transient
    # The database is free again.
    assert unload(asked(database), place(tmp_path)).open("real").rows == 500


def test_other_columns_than_yesterday_are_refused_unless_something_else_is_asked(
    tmp_path: Path, database: DuckDb
) -> None:
    folder = place(tmp_path)
    before = unload(asked(database), folder)
    database.run("alter table t drop column few; alter table t add column fresh int default 1")
    database.run("alter table t alter id type varchar")
    said = r"'few' is missing; 'fresh' is new; 'id' was int64 and is string"
    with pytest.raises(QueryError, match=said):
        unload(asked(database), folder, before)
    assert unload(asked(database, "select id, x from t"), folder, before).open("real").rows == 500


def test_a_transaction_only_reads(tmp_path: Path, database: DuckDb) -> None:
    database.run("create sequence s")
    with pytest.raises(QueryError, match=r"the query failed .*read-only"):
        unload(asked(database, "select nextval('s') as n"), place(tmp_path))
    with pytest.raises(QueryError, match="it begins with 'delete'"):
        unload(asked(database, "delete from t"), place(tmp_path))


@pytest.mark.parametrize(
    ("sql", "column", "why"),
    [
        ("[interval 1 day] as v", "v", "values that no file holds"),
        ("union_value(a := 1) as v", "v", "values that no file holds"),
        ("123::bignum as v", "v", "values in a form of its database .*bignum"),
        ("'infinity'::timestamp as v", "v", "infinite times"),
        ("'-infinity'::timestamptz as v", "v", "infinite times"),
        ("'-infinity'::date as \"a day\"", "a day", "infinite times"),
        ("1 as a, 2 as a", "a", "two columns have this name"),
    ],
)
def test_what_a_file_does_not_hold_is_refused_by_name(
    tmp_path: Path, database: DuckDb, sql: str, column: str, why: str
) -> None:
    with pytest.raises(DataError, match=rf"dataset 'real', column '{column}': (it holds )?{why}"):
        unload(asked(database, f"select {sql}"), place(tmp_path))


def test_odd_columns_keep_their_names_and_values(tmp_path: Path, database: DuckDb) -> None:
    sql = """select 1::uhugeint as "UPPER case", 'a'::enum('a', 'b') as "q""uote", null as nothing,
        [uuid()] as ids, map {'a': 1} as m, 'nan'::float as x"""
    opened = unload(asked(database, sql), place(tmp_path)).open("real")
    (row,) = opened.select(["UPPER case", 'q"uote', "nothing", "m", "x"]).table.to_pylist()
    assert [row["UPPER case"], row['q"uote'], row["nothing"], row["m"]] == [
        1,
        "a",
        None,
        [("a", 1)],
    ]
    assert np.isnan(row["x"])


def test_intervals_and_connections_without_arrow_are_refused(
    tmp_path: Path, database: DuckDb
) -> None:
    with pytest.raises(DataError, match="column 'd': it holds intervals"):
        unload(asked(database, "select interval 1 day as d"), place(tmp_path))

    class Plain:
        @contextmanager
        def get_connection(self) -> Iterator[object]:
            yield object()

    with pytest.raises(QueryError, match="it is a object, which hands out no Arrow batches"):
        unload(asked(Plain()), place(tmp_path))
    missing = Warehouse("warehouse", AdbcAccess("nowhere", "x://y"))
    with pytest.raises(
        QueryError, match=r"its driver is not installed .*Install adbc-driver-nowhere"
    ):
        unload(Asked(missing, Query(("select 1",)), "real"), place(tmp_path))


def test_a_password_is_in_no_message(tmp_path: Path) -> None:
    folder = tmp_path / "hunter2secret"
    access = AdbcAccess("sqlite", f"file:{folder}/none.db?mode=ro", {})
    warehouse = Warehouse("warehouse", access, ("hunter2secret", "pw"))
    with pytest.raises(QueryError) as caught:
        unload(Asked(warehouse, Query(("select 1",)), "real"), place(tmp_path))
    assert "hunter2secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "it cannot be opened (IO: failed to open" in str(caught.value)


def test_sqlite_is_read_through_its_driver_and_parameters_are_bound(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "s.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table t (day text, x real)")
        days = [("a'; drop table t; --", 1.5), ("b", 2.5)]
        connection.executemany("insert into t values (?, ?)", days)
    warehouse = Warehouse("warehouse", AdbcAccess("adbc_driver_sqlite", str(path)))
    query = Query(("select x from t where day = ", ""), (days[0][0],))
    assert unload(Asked(warehouse, query, "real"), place(tmp_path)).open("real").table[
        "x"
    ].to_pylist() == [1.5]
    query = Query(("select query_only as x from pragma_query_only",))
    assert unload(Asked(warehouse, query, "real"), place(tmp_path)).open("real").table[
        "x"
    ].to_pylist() == [1]


@settings(max_examples=10)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(1, 7))
def test_copies_are_told_apart_as_in_memory(values: list[int], batch: int) -> None:
    import tempfile

    table = pa.table({"x": values})
    with tempfile.TemporaryDirectory() as folder:
        database = DuckDb(Path(folder) / "w.duckdb")
        with database.get_connection() as connection:
            connection.register("given", table)
            connection.execute("create table t as select * from given")
        snapshot = unload(asked(database), open_store(Path(folder) / "s"))
        opened = snapshot.open("real")
        parts = [part.ids for part in scan(opened, columns=[], rows=batch)]
        assert isinstance(snapshot, Snapshot)
        assert sorted(np.concatenate(parts)) == sorted(row_ids(open_dataset(table, "real")))
        assert len(set(np.concatenate(parts).tolist())) == len(values)
