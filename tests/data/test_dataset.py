"""Files, folders and frames become one kind of dataset."""

import gzip
import hashlib
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.data.dataset import content_sha256, open_dataset
from synthmix_dagster.errors import DataError

exhaustive = settings(max_examples=60)

ROWS = {"x": [1, 2, 3, 4], "y": [0.5, None, -0.0, 2.5], "s": ["a", "é", "", "b,c"]}


def table(rows=None):
    return pa.table(rows or ROWS)


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        pa_csv.write_csv(rows, path)
    elif path.suffix == ".gz":
        with gzip.open(path, "wb") as handle:
            pa_csv.write_csv(rows, handle)
    else:
        pq.write_table(rows, path)
    return path


LAYOUTS = {
    "parquet file": (["all.parquet"], "all.parquet"),
    "pq file": (["all.pq"], "all.pq"),
    "upper case": (["ALL.PARQUET"], "ALL.PARQUET"),
    "csv file": (["all.csv"], "all.csv"),
    "gzipped csv file": (["all.csv.gz"], "all.csv.gz"),
    "parquet folder": (["in/a.parquet", "in/b.parquet"], "in"),
    "csv folder": (["in/a.csv", "in/b.csv"], "in"),
    "nested folder": (["in/a/z.parquet", "in/b/a.parquet"], "in"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("as_text", [True, False])
def test_every_layout_on_disk_gives_the_rows_in_order(tmp_path, layout, as_text):
    names, source = LAYOUTS[layout]
    size = 4 // len(names)
    for i, name in enumerate(names):
        write(tmp_path / name, table().slice(i * size, size))
    path = tmp_path / source
    dataset = open_dataset(str(path) if as_text else path, "real")
    assert dataset.table.to_pydict() == ROWS
    assert (dataset.rows, dataset.columns) == (4, ["x", "y", "s"])


def test_files_are_listed_by_relative_path_with_rows_and_digest(tmp_path):
    written = {name: write(tmp_path / name, table()) for name in ("b.pq", "a/z.pq", "a.pq")}
    files = open_dataset(tmp_path, "real").files
    assert [file.name for file in files] == ["a.pq", "a/z.pq", "b.pq"]
    assert {file.rows for file in files} == {4}
    for file in files:
        assert file.sha256 == hashlib.sha256(written[file.name].read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "name", [".a.parquet", "_a.parquet", ".tmp/a.parquet", "_temporary/a.parquet", "notes.txt"]
)
def test_hidden_and_foreign_files_are_ignored(tmp_path, name):
    write(tmp_path / "data.parquet", table())
    before = open_dataset(tmp_path, "real")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"not parquet")
    assert open_dataset(tmp_path, "real") == before


def test_a_folder_that_is_itself_hidden_is_read(tmp_path):
    write(tmp_path / ".demo" / "a.parquet", table())
    assert open_dataset(tmp_path / ".demo", "real").rows == 4


def polars_frame():
    return pytest.importorskip("polars").DataFrame(ROWS)


def duckdb_relation():
    source = table()  # noqa: F841  duckdb finds it by name
    return pytest.importorskip("duckdb").sql("select * from source")


FRAMES = {
    "pandas": lambda: pd.DataFrame(ROWS),
    "pandas with an index": lambda: pd.DataFrame(ROWS, index=[9, 9, 3, 1]),
    "arrow table": table,
    "arrow batch": lambda: table().to_batches()[0],
    "arrow reader": lambda: table().to_reader(),
    "polars": polars_frame,
    "duckdb relation": duckdb_relation,
    "duckdb arrow": lambda: pytest.importorskip("duckdb").sql("select 1 as x").to_arrow_table(),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_every_kind_of_frame_is_opened(kind):
    dataset = open_dataset(FRAMES[kind](), "real")
    assert dataset.table.to_pydict() == ({"x": [1]} if kind == "duckdb arrow" else ROWS)
    assert dataset.files == ()


def test_an_open_dataset_is_passed_through():
    dataset = open_dataset(table(), "real")
    assert open_dataset(dataset, "synthetic") is dataset


def missing(path):
    return path / "nowhere"


def empty_folder(path):
    return path


def only_foreign_files(path):
    (path / "a.yaml").write_text("{}")
    return path


def unknown_ending(path):
    (path / "a.yaml").write_text("{}")
    return path / "a.yaml"


def empty_csv(path):
    (path / "a.csv").touch()
    return path / "a.csv"


def empty_parquet(path):
    (path / "a.parquet").touch()
    return path / "a.parquet"


def header_only(path):
    (path / "a.csv").write_text("x,y\n")
    return path / "a.csv"


def no_rows(path):
    return write(path / "a.parquet", table().slice(0, 0))


def mixed_formats(path):
    write(path / "a.parquet", table())
    write(path / "b.csv", table())
    return path


def clashing_types(path):
    write(path / "a.parquet", table({"x": [1]}))
    write(path / "b.parquet", table({"x": ["one"]}))
    return path


def lossy_promotion(path):
    write(path / "a.parquet", table({"x": [2**53 + 1]}))
    write(path / "b.parquet", table({"x": [0.5]}))
    return path


def ragged_csv(path):
    (path / "a.csv").write_text("x,y\n1,2\n3\n")
    return path / "a.csv"


def one_bad_file_of_two(path):
    write(path / "a.parquet", table())
    (path / "b.parquet").write_bytes(b"PAR1 and then nothing")
    return path


def latin1_header(path):
    (path / "a.csv").write_bytes("na\xefve,b\n1,2\n".encode("latin-1"))
    return path / "a.csv"


BAD_PATHS = {
    missing: "no file or folder",
    empty_folder: "contains no file",
    only_foreign_files: "contains no file",
    unknown_ending: "unknown extension",
    empty_csv: "a.csv",
    empty_parquet: "a.parquet",
    header_only: "no rows",
    no_rows: "no rows",
    mixed_formats: r"csv, parquet",
    clashing_types: "columns of incompatible types",
    lossy_promotion: "columns of incompatible types",
    ragged_csv: "a.csv",
    one_bad_file_of_two: "b.parquet",
}


@pytest.mark.parametrize("make", BAD_PATHS, ids=lambda make: make.__name__)
def test_a_bad_path_is_refused_with_dataset_and_place_named(tmp_path, make):
    with pytest.raises(DataError, match=BAD_PATHS[make]) as caught:
        open_dataset(make(tmp_path), "synthetic")
    assert "dataset 'synthetic'" in str(caught.value)


def test_a_csv_header_that_is_not_utf8_is_refused(tmp_path):
    with pytest.raises(DataError):
        open_dataset(latin1_header(tmp_path), "real")


def test_files_of_int_and_float_are_promoted_where_nothing_is_lost(tmp_path):
    write(tmp_path / "a.parquet", table({"x": [2**53]}))
    write(tmp_path / "b.parquet", table({"x": [0.5]}))
    assert open_dataset(tmp_path, "real").table.to_pydict() == {"x": [2.0**53, 0.5]}


@pytest.mark.parametrize("source", [[1, 2], {"x": [1]}, None, 3, np.ones(3)], ids=repr)
def test_an_unsupported_type_is_named(source):
    with pytest.raises(DataError, match=type(source).__name__):
        open_dataset(source, "real")


@pytest.mark.parametrize(
    "frame",
    [pd.DataFrame(), pd.DataFrame({"x": []}), pa.table({"x": pa.array([], pa.int64())})],
    ids=["nothing", "pandas", "arrow"],
)
def test_a_frame_without_rows_is_refused(frame):
    with pytest.raises(DataError, match="no rows"):
        open_dataset(frame, "real")


@pytest.mark.parametrize("values", [[1, "a"], [1j], [object()]], ids=["mixed", "complex", "object"])
def test_a_column_that_no_arrow_type_holds_is_refused_and_named(values):
    with pytest.raises(DataError, match="odd"):
        open_dataset(pd.DataFrame({"odd": pd.Series(values, dtype=object)}), "real")


def duplicated(kind, path):
    twice = pa.table([[1], [2]], names=["a", "a"])
    if kind == "pandas":
        return pd.DataFrame([[1, 2]], columns=["a", "a"])
    return twice if kind == "arrow" else write(path / f"a.{kind}", twice)


@pytest.mark.parametrize(
    "kind",
    [
        "arrow",
        "csv",
        "parquet",
        pytest.param("pandas"),
    ],
)
def test_duplicate_column_names_are_refused(tmp_path, kind):
    with pytest.raises(DataError):
        open_dataset(duplicated(kind, tmp_path), "real")


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    rows = pa.table({"x": range(500), "s": [f"row {i}" for i in range(500)]})
    return write(tmp_path_factory.mktemp("damaged") / "whole.parquet", rows)


@exhaustive
@given(cut=st.floats(0, 1, exclude_max=True))
def test_a_parquet_file_cut_anywhere_is_refused_and_named(parquet, cut):
    whole = parquet.read_bytes()
    damaged = parquet.with_name("cut.parquet")
    damaged.write_bytes(whole[: int(len(whole) * cut)])
    with pytest.raises(DataError, match=r"cut\.parquet"):
        open_dataset(damaged, "real")


@exhaustive
@given(
    column=st.sampled_from([pa.int64(), pa.float64(), pa.bool_(), pa.string()]),
    numbers=st.lists(st.none() | st.integers(0, 3), min_size=2, max_size=40),
    cuts=st.sets(st.integers(0, 40), max_size=5),
)
def test_the_fingerprint_ignores_chunks(column, numbers, cuts):
    values = pa.array(numbers, pa.int64()).cast(column)
    whole = pa.table({"x": values})
    edges = sorted({0, len(values), *(cut for cut in cuts if cut < len(values))})
    parts = [whole.slice(a, b - a) for a, b in pairwise(edges)]
    assert content_sha256(pa.concat_tables(parts)) == content_sha256(whole)


@pytest.mark.parametrize("values", [[True, False, True], ["a", "b", "c"], [1, None, 3]], ids=str)
def test_the_fingerprint_of_a_slice_is_that_of_a_copy(values):
    head = pa.table({"x": values}).slice(0, 2)
    assert content_sha256(head) == content_sha256(pa.table({"x": values[:2]}))


@pytest.mark.parametrize("dtype", ["float64", "Int64"])
def test_the_fingerprint_ignores_what_lies_below_a_null(dtype):
    frame = pd.DataFrame({"x": pd.array([1, 2], dtype=dtype)})
    frame.loc[1, "x"] = None
    same = pa.table({"x": pa.array([1, None], pa.Table.from_pandas(frame).schema.field("x").type)})
    assert open_dataset(frame, "a").table.equals(same)
    assert open_dataset(frame, "a").fingerprint == open_dataset(same, "a").fingerprint


def test_the_fingerprint_ignores_schema_metadata_and_the_pandas_index():
    plain = table({"x": [1, 2]})
    frames = [
        plain.replace_schema_metadata({"pandas": "whatever"}),
        pd.DataFrame({"x": [1, 2]}),
        pd.DataFrame({"x": [1, 2]}, index=[7, 5]),
    ]
    assert {open_dataset(f, "a").fingerprint for f in frames} == {content_sha256(plain)}


def test_the_fingerprint_ignores_field_metadata():
    noted = pa.schema([pa.field("x", pa.int64(), metadata={"note": "b"})])
    assert content_sha256(pa.table([[1]], schema=noted)) == content_sha256(table({"x": [1]}))


@exhaustive
@given(
    rows=st.lists(
        st.tuples(st.none() | st.integers(0, 2), st.none() | st.text("ab", max_size=2)),
        min_size=1,
        max_size=6,
    ),
    data=st.data(),
)
def test_the_fingerprint_changes_with_any_value(rows, data):
    i, j = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, 1))
    value = data.draw(st.none() | (st.integers(0, 2) if j == 0 else st.text("ab", max_size=2)))

    def digest(cells):
        columns = [pa.array([c[0] for c in cells], pa.int64()), pa.array([c[1] for c in cells])]
        return content_sha256(
            pa.table([columns[0], columns[1].cast(pa.string())], names=["n", "s"])
        )

    changed = [list(row) for row in rows]
    changed[i][j] = value
    assert (digest(changed) == digest(rows)) == (value == rows[i][j])


@pytest.mark.parametrize(
    "other",
    [
        {"y": [1, 2]},
        {"x": [1, 2, 2]},
        {"x": [1.0, 2.0]},
        {"x": ["1", "2"]},
        {"x": [1, None]},
        {"x": [1, 2], "y": [1, 2]},
    ],
    ids=str,
)
def test_the_fingerprint_changes_with_names_values_and_types(other):
    assert content_sha256(table(other)) != content_sha256(table({"x": [1, 2]}))


def test_the_fingerprint_of_files_does_not_depend_on_where_the_folder_is(tmp_path):
    for folder in ("one", "two/deeper"):
        write(tmp_path / folder / "a.csv", table())
    one, two = (open_dataset(tmp_path / f, "real") for f in ("one", "two/deeper"))
    assert one == two
    assert one.fingerprint == open_dataset(tmp_path / "one" / "a.csv", "real").fingerprint


@pytest.mark.parametrize("change", ["renamed", "moved", "edited", "added", "swapped"])
def test_the_fingerprint_of_files_changes_with_names_and_bytes(tmp_path, change):
    a = write(tmp_path / "a.csv", table({"x": [1]}))
    b = write(tmp_path / "b.csv", table({"x": [2]}))
    before = open_dataset(tmp_path, "real").fingerprint
    if change == "renamed":
        a.rename(tmp_path / "a2.csv")
    elif change == "moved":
        (tmp_path / "sub").mkdir()
        a.rename(tmp_path / "sub" / "a.csv")
    elif change == "edited":
        write(a, table({"x": [3]}))
    elif change == "added":
        write(tmp_path / "c.csv", table({"x": [1]}))
    else:
        one, two = a.read_bytes(), b.read_bytes()
        a.write_bytes(two)
        b.write_bytes(one)
    assert open_dataset(tmp_path, "real").fingerprint != before


def test_frame_takes_positions_in_the_order_given():
    frame = open_dataset(table(), "real").frame([3, 0, 3])
    assert frame["x"].tolist() == [4, 1, 4]
    assert frame["s"].tolist() == ["b,c", "a", "b,c"]


def test_frame_turns_decimals_and_dates_into_what_numerics_take():
    day = pd.Timestamp("2024-02-29")
    dataset = open_dataset(table({"d": [Decimal("1.25"), None], "t": [day.date(), None]}), "real")
    frame = dataset.frame()
    assert frame["d"].dtype == np.float64
    assert frame["d"][0] == 1.25
    assert frame["t"].dtype.kind == "M"
    assert frame["t"][0] == day
    assert frame.isna().to_numpy().tolist() == [[False, False], [True, True]]


def test_the_fingerprint_of_a_frame_does_not_depend_on_the_order_of_its_rows():
    values = {"x": [1, 2, 2, None], "c": ["a", "b", "b", None], "l": [[1], [2], [2], None]}
    one = pa.table(values)
    assert content_sha256(one) == content_sha256(one.take(pa.array([3, 1, 0, 2])))
    assert content_sha256(one) != content_sha256(one.take(pa.array([0, 1, 1, 3, 3])))


def test_what_is_empty_in_a_csv_file_is_missing_in_text_as_in_numbers(tmp_path):
    (tmp_path / "a.csv").write_text('x,c\n1,a\n,\n3,""\n4,NA\n')
    table = open_dataset(tmp_path / "a.csv", "real").table
    assert table.to_pydict() == {"x": [1, None, 3, 4], "c": ["a", None, "", "NA"]}


def test_a_named_index_of_pandas_is_a_column():
    frame = pd.DataFrame({"id": [5, 6], "x": [1, 2]}).set_index("id")
    assert open_dataset(frame, "real").columns == ["id", "x"]


def test_text_categories_of_polars_are_text():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"c": polars.Series(["a", "b", None], dtype=polars.Categorical)})
    assert open_dataset(frame, "real").table.to_pydict() == {"c": ["a", "b", None]}
