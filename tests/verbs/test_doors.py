"""The same rows as a frame, a file, a folder of files and a table: the same numbers and rows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from synthmix_dagster import measure_distance, mix, open_dataset, recommend_ratio
from synthmix_dagster.data.content_mark import content_mark
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.snapshots import Asked, unload
from synthmix_dagster.data.sql import Query
from synthmix_dagster.data.warehouse import Warehouse

COUNTS = {"real": 150, "synthetic": 600}


def made(side: str) -> pd.DataFrame:
    rows, rng = COUNTS[side], np.random.default_rng(len(side))
    x = rng.normal(0.0 if side == "real" else 0.2, 1.0, rows)
    return pd.DataFrame(
        {
            "id": rng.permutation(rows) + (0 if side == "real" else 1000),
            "x": np.where(rng.random(rows) < 0.05, np.nan, x),
            "c": rng.choice(["a", "b", "ä"], rows),
            "y": np.sin(x) + rng.normal(0.0, 0.3, rows),
        }
    )


class DuckDb:
    """A database in memory, of which the rows come in no order."""

    @contextmanager
    def get_connection(self) -> Iterator[Any]:
        with duckdb.connect() as connection:
            for side in COUNTS:
                connection.register("given", pa.Table.from_pandas(made(side)))
                connection.execute(f"create table {side} as select * from given")
            yield connection


def as_frame(side: str, folder: Path) -> Any:
    return made(side)


def as_shuffled_frame(side: str, folder: Path) -> Any:
    return made(side).sample(frac=1.0, random_state=7)


def as_parquet(side: str, folder: Path) -> Any:
    path = folder / f"{side}.parquet"
    made(side).to_parquet(path, row_group_size=40)
    return path


def as_csv(side: str, folder: Path) -> Any:
    path = folder / f"{side}.csv"
    made(side).to_csv(path, index=False)
    return path


def as_folder(side: str, folder: Path) -> Any:
    (folder / side).mkdir()
    for name, rows in (("b", made(side)[:40]), ("a", made(side)[40:])):
        rows.to_parquet(folder / side / f"{name}.parquet")
    return folder / side


def as_table(side: str, folder: Path) -> Any:
    query = Query((f"select * from {side} order by hash(id)",))
    asked = Asked(Warehouse("warehouse", DuckDb()), query, side)
    return unload(asked, open_store(folder / side)).open(side)


DOORS = [as_frame, as_shuffled_frame, as_parquet, as_csv, as_folder, as_table]


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> list[list[Any]]:
    """Both sides, once for each door."""
    return [
        [door(side, tmp_path_factory.mktemp(door.__name__)) for side in COUNTS] for door in DOORS
    ]


def test_the_same_sample_is_measured_through_every_door(doors: list[list[Any]]) -> None:
    options: dict[str, Any] = {"key": "id", "sample_rows": 100, "permutations": 3, "directions": 8}
    reports = [measure_distance(*sides, target="y", **options) for sides in doors]
    found = {(r.gap, r.interval, r.floor, r.p_value, r.conditional_gap) for r in reports}
    assert len(found) == 1
    # It is a sample that follows from all rows.
    changed = made("synthetic")
    changed.loc[0, "x"] = 0.5
    other = measure_distance(doors[0][0], changed, target="y", **options)
    assert other.gap != reports[0].gap


@pytest.mark.slow
def test_the_same_ratio_and_rows_come_out_of_every_door(
    doors: list[list[Any]], tmp_path: Path
) -> None:
    ratios, released = [], []
    for number, sides in enumerate(doors):
        advice = recommend_ratio(
            *sides, target="y", task="regression", key="id", sample_rows=100, rule="path"
        )
        ratios.append((advice.ratio, advice.reason))
        release = mix(*sides, ratio=1.5, key="id", output=tmp_path / str(number))
        rows = release.to_arrow().select(["id", "x", "c", "y"]).to_pandas()
        released.append(rows.sort_values("id", ignore_index=True))
    assert len(set(ratios)) == 1
    for other in released[1:]:
        pd.testing.assert_frame_equal(released[0], other, check_dtype=False)


KINDS: list[tuple[pa.DataType, list[Any]]] = [
    (pa.int16(), [1, None, 3, 3]),
    (pa.uint64(), [1, None, 2**64 - 1, 3]),
    (pa.float32(), [0.5, None, -1.0, -1.0]),
    (pa.bool_(), [True, None, False, True]),
    (pa.string(), ["", None, "b", "b"]),
    (pa.binary(), [b"", None, b"b", b"b"]),
    (pa.timestamp("us", "UTC"), [0, None, 5, 5]),
    (pa.date32(), [0, None, 5, 5]),
    (pa.time32("s"), [0, None, 5, 5]),
    (pa.decimal128(10, 2), [0, None, 5, 5]),
    (pa.list_(pa.int64()), [[], None, [1], [1]]),
    (pa.null(), [None, None, None, None]),
]


@pytest.mark.parametrize(("kind", "values"), KINDS, ids=str)
def test_the_mark_is_that_of_the_values(kind: pa.DataType, values: list[Any]) -> None:
    def mark(column: Any, change: Callable[[pa.Table], pa.Table] = lambda table: table) -> str:
        table = pa.table({"x": column, "n": pa.array([1, 2, 3, 4])})
        return content_mark(open_dataset(change(table), "real"))

    column = pa.array(values, kind)
    one = mark(column)
    assert mark(column, lambda table: table.take(pa.array([3, 1, 0, 2]))) == one
    assert mark(pa.chunked_array([column[:1], column[1:]])) == one
    if not pa.types.is_nested(kind) and not pa.types.is_null(kind):
        assert mark(column.dictionary_encode()) == one
        # Another value, another place, one more row.
        assert mark(column.take(pa.array([2, 1, 2, 3]))) != one
    if not pa.types.is_null(kind):
        assert mark(column.take(pa.array([1, 0, 2, 3]))) != one
    assert mark(column, lambda table: table.slice(1)) != one
    assert mark(column, lambda table: table.rename_columns(["z", "n"])) != one


def test_the_mark_does_not_depend_on_how_wide_a_number_is() -> None:
    marks = {
        content_mark(open_dataset(pa.table({"n": pa.array([1, 2], kind)}), "real"))
        for kind in (pa.int8(), pa.uint32(), pa.int64())
    }
    assert len(marks) == 1
