"""Where files may lie, and in which formats: the same rows from everywhere."""

import gzip
import itertools
import json
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.feather
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
import stores
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry

from synthmix_dagster import measure_distance, mix, recommend_ratio
from synthmix_dagster.data import locations, text_formats
from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.errors import DataError

TABLE = pa.table({"n": [1, None, 3, 4], "x": [0.5, 1.5, None, -2.0], "s": ["a", "é", "b\nc", None]})


def jsonl(rows):
    lines = (json.dumps(row, ensure_ascii=False) for row in rows.to_pylist())
    return "".join(f"{line}\n" for line in lines).encode()


WRITERS = {
    "parquet": pq.write_table,
    "pq": pq.write_table,
    "arrow": lambda rows, path: pyarrow.feather.write_feather(rows, path, compression="zstd"),
    "feather": pyarrow.feather.write_feather,
    "csv": pa_csv.write_csv,
    "csv.gz": lambda rows, path: write_gzip(path, csv_of(rows)),
    "jsonl": lambda rows, path: Path(path).write_bytes(jsonl(rows)),
    "ndjson": lambda rows, path: Path(path).write_bytes(jsonl(rows)),
    "jsonl.gz": lambda rows, path: write_gzip(path, jsonl(rows)),
}


def csv_of(rows):
    sink = pa.BufferOutputStream()
    pa_csv.write_csv(rows, sink)
    return sink.getvalue().to_pybytes()


def write_gzip(path, content):
    with gzip.open(path, "wb") as handle:
        handle.write(content)


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    WRITERS[path.name.partition(".")[2]](rows, path)
    return path


# Formats


@pytest.mark.parametrize("ending", WRITERS)
def test_every_format_gives_the_same_rows(tmp_path, ending):
    dataset = open_dataset(write(tmp_path / f"rows.{ending}", TABLE), "real")
    assert dataset.table.to_pydict() == TABLE.to_pydict()
    assert dataset.rows == 4
    assert dataset.frame([3, 0])["x"].tolist() == [-2.0, 0.5]
    assert dataset.select(["s"]).table.to_pydict() == {"s": TABLE["s"].to_pylist()}


def test_lines_of_json_are_read_a_block_at_a_time_with_the_types_of_all(tmp_path, monkeypatch):
    monkeypatch.setattr(text_formats, "TEXT_BLOCK", 64)
    rows = [{"a": i, "t": "2024-01-02" if i < 50 else "soon"} for i in range(100)]
    rows += [{"a": i / 2, "b": [i]} for i in range(100)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    dataset = open_dataset(path, "real")
    assert dataset.rows == 200
    assert [str(kind) for kind in dataset.schema.types] == ["double", "string", "list<item: int64>"]
    got = dataset.table.to_pylist()
    assert got == [{"a": row["a"], "t": row.get("t"), "b": row.get("b")} for row in rows]


@pytest.mark.parametrize("line", ["[1]", "{", '{"a": "text"}'])
def test_a_bad_line_of_json_is_refused_with_the_file_named(tmp_path, line):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n' + line)
    with pytest.raises(DataError, match=r"rows\.jsonl' cannot be read as json lines"):
        open_dataset(path, "real")


def test_long_batches_of_arrow_files_are_cut(tmp_path):
    rows = pa.table({"x": range(1000)})
    dataset = open_dataset(write(tmp_path / "rows.arrow", rows), "real")
    sizes = [piece.table.num_rows for piece in dataset.source.pieces(300)]
    assert sizes == [300, 300, 300, 100]
    assert dataset.frame([999, 5])["x"].tolist() == [999, 5]


# Folders, globs, partitions


def test_a_glob_takes_what_it_names(tmp_path):
    for name in ("a/1.csv", "a/2.csv", "a/b/3.csv", "c/4.csv"):
        number = int(name[-5])
        write(tmp_path / name, pa.table({"x": [number]}))

    def found(pattern):
        dataset = open_dataset(f"{tmp_path}/{pattern}", "real")
        return dataset.table["x"].to_pylist(), [file.name for file in dataset.files]

    assert found("a/*.csv") == ([1, 2], ["1.csv", "2.csv"])
    assert found("a/**/*.csv") == ([1, 2, 3], ["1.csv", "2.csv", "b/3.csv"])
    assert found("*/?.csv") == (
        [1, 2, 4],
        ["a/1.csv", "a/2.csv", "c/4.csv"],
    )
    with pytest.raises(DataError, match="contains no file"):
        found("a/*.parquet")


def test_the_folders_of_a_partitioned_dataset_are_columns(tmp_path):
    for number, folder in enumerate(
        ["year=2023/place=New%20York", "year=2024/place=__HIVE_DEFAULT_PARTITION__"]
    ):
        write(tmp_path / folder / "part.parquet", pa.table({"x": [number, number + 10]}))
    dataset = open_dataset(tmp_path, "real")
    assert dataset.table.to_pydict() == {
        "x": [0, 10, 1, 11],
        "year": [2023, 2023, 2024, 2024],
        "place": ["New York", "New York", None, None],
    }
    assert dataset.select(["year"]).table["year"].to_pylist() == [2023, 2023, 2024, 2024]
    late = open_dataset(tmp_path, "real", filters=[("year", ">", 2023)])
    assert late.table["x"].to_pylist() == [1, 11]


@pytest.mark.parametrize("values", [["07", "8"], ["1", "x"], ["²", "1"]])
def test_folders_that_are_not_all_whole_numbers_are_text(tmp_path, values):
    for value in values:
        write(tmp_path / f"k={value}" / "a.csv", pa.table({"x": [1]}))
    assert sorted(open_dataset(tmp_path, "real").table["k"].to_pylist()) == sorted(values)


def test_a_partitioned_dataset_of_another_library_is_read(tmp_path):
    frame = pd.DataFrame({"g": ["a", "b", "a"], "x": [1, 2, 3]})
    frame.to_parquet(tmp_path / "p", partition_cols=["g"])
    got = open_dataset(tmp_path / "p", "real").table.to_pandas().sort_values("x")
    assert got["g"].tolist() == ["a", "b", "a"]


# Columns of several files


def test_a_column_that_some_files_lack_is_missing_there(tmp_path):
    write(tmp_path / "a.parquet", pa.table({"x": [1], "y": ["a"]}))
    write(tmp_path / "b.parquet", pa.table({"z": [True], "x": [2.5]}))
    dataset = open_dataset(tmp_path, "real")
    assert dataset.table.to_pydict() == {"x": [1.0, 2.5], "y": ["a", None], "z": [None, True]}
    assert dataset.frame([1, 0])["y"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (pa.array([1], pa.int8()), pa.array([2**40], pa.int64()), "int64"),
        (pa.array([1.5], pa.float32()), pa.array([0.1]), "double"),
        (pa.array([None]), pa.array(["a"]), "string"),
        (pa.array([1]), pa.array(["a"]), None),
        (pa.array([True]), pa.array([1]), None),
        (pa.array([1], pa.timestamp("us")), pa.array(["soon"]), None),
        (pa.array([[1]]), pa.array([1]), None),
    ],
    ids=str,
)
def test_types_of_files_are_promoted_where_it_is_safe_and_refused_otherwise(
    tmp_path, one, other, kind
):
    write(tmp_path / "a.parquet", pa.table({"x": one}))
    write(tmp_path / "b.parquet", pa.table({"x": other}))
    if kind is None:
        with pytest.raises(DataError, match="columns of incompatible types"):
            open_dataset(tmp_path, "real")
    else:
        dataset = open_dataset(tmp_path, "real")
        assert str(dataset.schema.field("x").type) == kind
        assert dataset.table["x"].to_pylist() == [*one.to_pylist(), *other.to_pylist()]


# Object stores


def parquet_of(rows):
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink)
    return sink.getvalue().to_pybytes()


def without_own_stores(monkeypatch):
    """A pyarrow that was built without any object store."""

    class FileSystem:
        @staticmethod
        def from_uri(_):
            raise pa.ArrowNotImplementedError("built without support for it")

    there = {**vars(pa.fs), "FileSystem": FileSystem}
    monkeypatch.setattr(locations, "pa_fs", SimpleNamespace(**there))


def in_memory(monkeypatch, scheme):
    """Register a filesystem of fsspec's for a protocol, with objects of its own."""

    class Objects(MemoryFileSystem):
        protocol = scheme
        store: ClassVar[dict] = {}
        pseudo_dirs: ClassVar[list] = [""]

        @classmethod
        def _strip_protocol(cls, path):
            return "/" + path.removeprefix(f"{scheme}://").strip("/")

    monkeypatch.setitem(_registry, scheme, Objects)
    return Objects()


@pytest.fixture(params=["s3", "gs", "abfs", "memory", "fsspec gs", "fsspec abfs", "fsspec other"])
def store(request, monkeypatch):
    """Puts objects into a store and gives the URI of what was put."""
    # Clients look for credentials of the machine they run on, unless they are told not to.
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    kind, _, scheme = request.param.rpartition(" ")
    own = {"s3": stores.S3, "gs": stores.Google, "abfs": stores.Azure}
    if scheme in own and not kind:
        with stores.serving(own[scheme]) as served:
            yield served
        return
    if not kind:
        place = open_store(f"memory://{uuid.uuid4().hex}")
        yield place.put, lambda path: f"{place.uri}/{path}"
        return
    without_own_stores(monkeypatch)
    filesystem = in_memory(monkeypatch, scheme)
    yield (
        lambda path, content: filesystem.pipe(f"/{path}", content),
        lambda path: f"{scheme}://{path}",
    )
    filesystem.store.clear()


@pytest.mark.parametrize("encode", [parquet_of, csv_of], ids=["parquet", "csv"])
def test_files_of_an_object_store_are_read_like_local_ones(store, encode, tmp_path):
    put, uri = store
    ending = "parquet" if encode is parquet_of else "csv"
    for number, part in enumerate((TABLE.slice(0, 1), TABLE.slice(1))):
        put(f"data/in/{number}.{ending}", encode(part))
        write(tmp_path / "in" / f"{number}.{ending}", part)
    put("data/in/_SUCCESS", b"")
    local = open_dataset(tmp_path / "in", "real")
    for path in ("data/in", "data/in/", f"data/in/*.{ending}"):
        remote = open_dataset(uri(path), "real")
        assert remote.table.to_pydict() == TABLE.to_pydict()
        assert [file.name for file in remote.files] == [f"{n}.{ending}" for n in "01"]
    assert open_dataset(uri(f"data/in/0.{ending}"), "real").rows == 1
    assert local.table.to_pydict() == remote.table.to_pydict()


def test_a_mix_of_remote_rows_is_that_of_local_ones(store, tmp_path):
    put, uri = store
    real, synthetic = pa.table({"x": range(50)}), pa.table({"x": range(100, 200)})
    for name, rows in (("r", real), ("s", synthetic)):
        put(f"data/{name}.csv", csv_of(rows))
        write(tmp_path / f"{name}.csv", rows)
    one = mix(uri("data/r.csv"), uri("data/s.csv"), ratio=1, output=tmp_path / "one")
    two = mix(tmp_path / "r.csv", tmp_path / "s.csv", ratio=1, output=tmp_path / "two")
    assert one.release_id == two.release_id
    assert one.to_arrow().equals(two.to_arrow())


def test_an_object_that_is_not_there_is_named_without_the_key(store):
    _, uri = store
    with pytest.raises(DataError, match="no file or folder") as caught:
        open_dataset(uri("data/none.csv"), "real")
    assert "secret" not in str(caught.value)
    assert "data/none.csv" in str(caught.value)


def test_an_object_that_changes_after_it_was_opened_is_refused(store):
    put, uri = store
    put("data/a.csv", b"x\n1\n2\n")
    dataset = open_dataset(uri("data/a.csv"), "real")
    put("data/a.csv", b"x\n1\n2\n3\n")
    with pytest.raises(DataError, match=r"a\.csv' changed while it was read"):
        dataset.frame()


def test_a_protocol_that_nobody_knows_is_named_without_the_key():
    with pytest.raises(DataError, match="'nosuch://' cannot be opened") as caught:
        open_dataset("nosuch://key:secret@bucket/a.csv", "real")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("scheme", "package"),
    [("gs", "gcsfs"), ("gcs", "gcsfs"), ("abfs", "adlfs"), ("az", "adlfs"), ("s3", "s3fs")],
)
@pytest.mark.parametrize("lacking", ["package", "fsspec"])
def test_the_package_that_a_protocol_lacks_is_named(monkeypatch, scheme, package, lacking):
    without_own_stores(monkeypatch)
    for name in [package] if lacking == "package" else ["fsspec.core", "fsspec"]:
        monkeypatch.setitem(sys.modules, name, None)
    wanted = package if lacking == "package" else f"fsspec and {package}"
    with pytest.raises(DataError, match=rf"'{scheme}://' needs a package.*Install {wanted}\.$"):
        open_dataset(f"{scheme}://bucket/a.csv", "real")


def test_what_pyarrow_lacks_in_an_address_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "adlfs", None)
    with pytest.raises(DataError, match="valid account name"):
        open_dataset("abfs://container/a.csv", "real")


# Every verb


def numbers(shift):
    frame = pd.DataFrame({"x": [((7 * i) % 101) / 50 + shift for i in range(60)]})
    return frame.assign(y=frame["x"] * 2 + frame.index % 3)


@pytest.mark.parametrize("kind", ["parquet", "arrow", "csv", "jsonl", "glob", "polars", "duckdb"])
def test_every_verb_takes_every_kind_of_handle(tmp_path, kind):
    sides = []
    for name, shift in (("real", 0.0), ("synthetic", 0.1)):
        rows = pa.Table.from_pandas(numbers(shift))
        if kind == "polars":
            sides.append(pytest.importorskip("polars").from_arrow(rows))
        elif kind == "duckdb":
            sides.append(pytest.importorskip("duckdb").sql("select * from rows"))
        else:
            ending = "csv" if kind == "glob" else kind
            path = write(tmp_path / name / f"rows.{ending}", rows)
            sides.append(str(path.with_name("*.csv")) if kind == "glob" else path)
    assert measure_distance(*sides, permutations=0).n_real == 60
    assert recommend_ratio(*sides, target="y", task="regression").ratio >= 0
    assert mix(*sides, ratio=0.5, output=tmp_path / "out").manifest["realised"]["rows"] == 90


def test_a_dataset_that_was_opened_with_a_view_goes_into_every_verb(tmp_path):
    part = list(itertools.islice(itertools.cycle("ab"), 60))
    frames = [numbers(shift).assign(part=part) for shift in (0.0, 0.01)]
    sides = [
        open_dataset(f, n, filters=[("part", "==", "a")], columns=["x", "y"], rename={"x": "z"})
        for f, n in zip(frames, ("real", "synthetic"), strict=True)
    ]
    assert measure_distance(*sides, permutations=0).n_real == 30
    assert {c.column for c in measure_distance(*sides, permutations=0).columns} == {"z", "y"}
    release = mix(*sides, ratio=1, output=tmp_path)
    assert release.to_arrow().column_names[:2] == ["z", "y"]
    assert release.manifest["realised"]["real_rows"] == 30
