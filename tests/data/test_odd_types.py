"""Types that pandas, Parquet or Arrow itself hardly know: read as usual ones, or refused."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthmix_dagster import measure_distance, mix, open_dataset, recommend_ratio
from synthmix_dagster.encoding.columns import as_numbers, level_names
from synthmix_dagster.errors import DataError

ROWS = 12
NUMERIC = pa.opaque(pa.string(), "numeric", "PostgreSQL")
QUICK = {"permutations": 0, "directions": 5}


def in_turn(*values):
    return [values[row % len(values)] for row in range(ROWS)]


def levels(*values):
    codes = pa.array([row % len(values) for row in range(ROWS)], pa.int8())
    return pa.DictionaryArray.from_arrays(codes, pa.array(values))


def opaque(*values):
    return pa.ExtensionArray.from_storage(NUMERIC, pa.array(in_turn(*values)))


def table(column):
    numbers = np.random.default_rng(0).normal(size=ROWS)
    return pa.table({"id": range(ROWS), "x": numbers, "c": column})


def stored(rows, folder, ending):
    """The rows as a frame or a file of their own."""
    if ending == "frame":
        return rows
    path = folder / f"rows.{ending}"
    if ending == "parquet":
        pq.write_table(rows, path)
    else:
        with pa.ipc.new_file(path, rows.schema) as file:
            file.write_table(rows)
    return path


@pytest.mark.parametrize("ending", ["frame", "arrow", "parquet"])
@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pa.array(in_turn("a", "b", None), pa.string_view()), pa.string()),
        (pa.array(in_turn(b"a", b"b"), pa.binary_view()), pa.binary()),
        (pa.array(in_turn(Decimal("1.5")), pa.decimal128(5, 1)), pa.decimal128(5, 1)),
        (levels("a", None, "b"), pa.dictionary(pa.int8(), pa.string())),
        (levels("a", "b", "a"), pa.dictionary(pa.int8(), pa.string())),
        (levels(dt.datetime(2020, 1, 1), dt.datetime(2021, 1, 1)), pa.timestamp("us")),
        (levels(Decimal("1.5"), Decimal("2.5")), pa.decimal128(2, 1)),
        (
            pa.RunEndEncodedArray.from_arrays(pa.array([5, ROWS], pa.int32()), pa.array([1, 2])),
            pa.int64(),
        ),
        (pa.array(in_turn(Decimal("1E+3")), pa.decimal128(5, -3)), pa.decimal128(8, 0)),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_odd_types_are_read_as_usual_ones_with_the_same_values(tmp_path, column, kind, ending):
    rows = table(column)
    try:
        source = stored(rows, tmp_path, ending)
    except (pa.ArrowException, OSError):
        assert ending == "parquet"  # which has no such type
        return
    opened = open_dataset(source, "real")
    held = opened.table["c"]
    if ending != "parquet":  # which keeps no levels of its own
        assert held.type == kind
    assert held.to_pylist() == column.to_pylist()
    picked, whole = (frame["c"].astype(object) for frame in (opened.frame([3, 1]), opened.frame()))
    assert [str(value) for value in picked] == [str(whole[3]), str(whole[1])]
    if ending == "frame":
        left_out = ["c"] if kind == pa.binary() else []
        measure_distance(opened, rows.slice(2), key=["id"], ignore=left_out, **QUICK)
        mix(opened, rows.slice(2), ratio=0.5, output=tmp_path / "out")


def test_short_decimals_are_as_good_as_long_ones():
    kind = getattr(pa, "decimal32", pa.decimal128)(5, 1)
    rows = table(pa.array(in_turn(Decimal("1.5"), Decimal("2.5")), kind))
    assert open_dataset(rows).schema.field("c").type == pa.decimal128(5, 1)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (
            pa.UnionArray.from_sparse(pa.array([0] * ROWS, pa.int8()), [pa.array(range(ROWS))]),
            "several types in one column",
        ),
        (pa.array(in_turn(0), pa.timestamp("us", "Nowhere/City")), "unknown time zone"),
        (opaque("abc", "1"), "column 'c' does not hold double throughout"),
        (opaque("", "1"), "column 'c' does not hold double throughout"),
    ],
    ids=["union", "zone", "words", "blank"],
)
@pytest.mark.parametrize("ending", ["frame", "arrow"])
def test_what_nobody_can_read_is_refused_with_its_column(tmp_path, column, said, ending):
    with pytest.raises(DataError, match=said) as refused:
        open_dataset(stored(table(column), tmp_path, ending), "real").frame()
    assert "'c'" in str(refused.value)
    assert "'real'" in str(refused.value)


FAR = [
    pa.array(in_turn(2**50, 0), pa.timestamp("s")),
    pa.array(in_turn(2**62, 0), pa.timestamp("us")),
    pa.array(in_turn(2**61, 0), pa.duration("s")),
]


@pytest.mark.parametrize("column", FAR, ids=lambda column: str(column.type))
def test_times_beyond_the_calendar_are_told_apart_and_come_back(tmp_path, column):
    rows = table(column)
    numbers = as_numbers(open_dataset(rows).frame()["c"])
    factor = 1 if column.type.unit == "s" else 1e-6
    assert numbers[:2].tolist() == [column.cast(pa.int64())[0].as_py() * factor, 0.0]
    report = measure_distance(rows, rows.slice(2), key=["id"], target="c", **QUICK)
    assert np.isfinite(report.gap)
    released = mix(rows, rows.slice(2), ratio=0.5, output=tmp_path / "out").to_arrow()
    kept = released["c"].cast(column.type).cast(pa.int64()).to_pylist()  # Parquet has no seconds
    assert set(kept) == set(column.cast(pa.int64()).to_pylist())
    keyed = rows.append_column("k", pa.array(range(ROWS), column.type))
    mix(keyed, keyed.slice(2), ratio=0.5, key=["k"], output=tmp_path / "keyed")


def test_a_list_is_no_class():
    rows = table(pa.array(in_turn([1.0, 2.0], [2.0, 1.0])))
    with pytest.raises(DataError, match="cannot be levels") as refused:
        recommend_ratio(rows, rows.slice(1), target="c", task="classification", key=["id"])
    assert refused.value.column == "c"
    assert "Name another target" in str(refused.value)


@pytest.mark.parametrize("unit", ["s", "us"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_times_beyond_the_calendar_have_names_as_levels(zone, unit):
    factor = 1 if unit == "s" else 10**6
    times = np.array([-62135596800 * factor - 1, -62135596800 * factor - 2]).view(f"M8[{unit}]")
    names = level_names(pd.Series(times).dt.tz_localize(zone)).tolist()
    assert len(set(names)) == 2
    assert all(name.startswith("0000-12-31") for name in names)
