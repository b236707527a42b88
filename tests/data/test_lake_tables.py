"""Delta and Iceberg tables, each written by its own library: the rows of one version, no others."""

import builtins
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthmix_dagster import mix
from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.data.fingerprint import content_sha256
from synthmix_dagster.data.local_store import LocalStore
from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.release.report.reproducing import program

ROWS = pa.table({"x": [1, 2, 3, 4], "day": ["01", "02", "a b", "02"], "s": ["a", "b", None, "d"]})
MORE = pa.table({"x": [5], "day": [None], "s": ["e"]}, schema=ROWS.schema)


def same_rows(dataset, table):
    return content_sha256(dataset.table.select(table.column_names).cast(table.schema)) == (
        content_sha256(table)
    )


@pytest.fixture(scope="module")
def delta(tmp_path_factory):
    """Version 0: four rows; 1: five; 2: without x = 2; 3: with a further column."""
    deltalake = pytest.importorskip("deltalake")
    path = str(tmp_path_factory.mktemp("delta") / "table")
    deltalake.write_deltalake(path, ROWS, partition_by=["day"])
    deltalake.write_deltalake(path, MORE, mode="append")
    deltalake.DeltaTable(path).delete("x = 2")
    wider = MORE.append_column("z", pa.array([0.5]))
    deltalake.write_deltalake(path, wider, mode="append", schema_mode="merge")
    return path


@pytest.fixture(scope="module")
def iceberg(tmp_path_factory):
    """Three snapshots: four rows, five rows, and without x = 2; then a column gets another name."""
    catalogs = pytest.importorskip("pyiceberg.catalog.sql")
    folder = tmp_path_factory.mktemp("iceberg")
    catalog = catalogs.SqlCatalog(
        "local", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}"
    )
    catalog.create_namespace("lake")
    table = catalog.create_table("lake.rows", schema=ROWS.schema)
    table.append(ROWS)
    table.append(MORE)
    table.delete("x = 2")
    with table.update_schema() as update:
        update.rename_column("s", "label")
    table.append(MORE.rename_columns({"s": "label"}))
    return table


# --- Delta ---------------------------------------------------------------------------------------


def test_a_delta_table_is_its_newest_version(delta):
    dataset = open_dataset(delta, "real")
    assert set(dataset.columns) == {"x", "day", "s", "z"}
    assert sorted(dataset.table["x"].to_pylist()) == [1, 3, 4, 5, 5]
    assert dataset.options.said == {"format": "delta", "version": 3}


@pytest.mark.parametrize(
    ("version", "rows"),
    [
        (0, ROWS),
        (1, pa.concat_tables([ROWS, MORE])),
        ("2", pa.concat_tables([ROWS.slice(0, 1), ROWS.slice(2), MORE])),
    ],
    ids=["first", "appended", "deleted"],
)
def test_an_earlier_version_has_the_rows_it_had(delta, version, rows):
    dataset = open_dataset(delta, "real", version=version)
    assert dataset.rows == rows.num_rows
    assert same_rows(dataset, rows)
    assert dataset.frame([0])["x"].tolist() == [dataset.table["x"][0].as_py()]
    assert dataset.fingerprint != open_dataset(delta, "real").fingerprint


def test_filters_apply_to_columns_that_only_the_table_stores(delta):
    dataset = open_dataset(delta, "real", version=0, filters=[("day", "==", "a b")], columns=["x"])
    assert dataset.table.to_pydict() == {"x": [3]}


@pytest.mark.parametrize("version", [99, "99", "no date"])
def test_a_version_that_is_not_there_is_refused(delta, version):
    with pytest.raises(DataError, match=rf"no version.*{version}.*the newest is 3"):
        open_dataset(delta, "real", version=version)


def test_a_version_of_plain_files_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    with pytest.raises(ConfigError, match="not a Delta or Iceberg table"):
        open_dataset(tmp_path, "real", version=1)


def test_the_folder_of_a_table_is_not_read_file_by_file(delta, iceberg):
    for place in (delta, iceberg.location()):
        with pytest.raises(DataError, match="is a table, whose files also hold rows that were del"):
            open_dataset(place, "real", format="parquet")


@pytest.mark.parametrize("kind", ["delta", "iceberg"])
def test_a_table_is_opened_through_a_store(kind, request):
    made = request.getfixturevalue(kind)
    place = made if kind == "delta" else made.location().removeprefix("file://")
    through, plain = (open_dataset(each, "real") for each in (LocalStore(Path(place)), place))
    assert same_rows(through, plain.table)
    assert through.options.said == plain.options.said


def test_a_frame_has_no_versions():
    with pytest.raises(ConfigError, match="'real' is a frame"):
        open_dataset(ROWS, "real", version=1)


@pytest.fixture
def protocol(tmp_path):
    """Write a table by hand in a protocol that its library does not write."""

    def write(features, configuration, **of_file):
        path = tmp_path / "table"
        (path / "_delta_log").mkdir(parents=True)
        pq.write_table(pa.table({"x": [1, 2, 3]}), path / "a.parquet")
        fields = [{"name": "x", "type": "long", "nullable": True, "metadata": {}}]
        if configuration:
            fields[0]["metadata"] = {
                "delta.columnMapping.id": 1,
                "delta.columnMapping.physicalName": "x",
            }
        schema = {"type": "struct", "fields": fields}
        versions = {"minReaderVersion": 3, "minWriterVersion": 7}
        actions = [
            {"protocol": {**versions, "readerFeatures": features, "writerFeatures": features}},
            {
                "metaData": {
                    "id": "0b2c4c9a-3c1f-4d6b-9d43-6d1f7c0e5a11",
                    "format": {"provider": "parquet", "options": {}},
                    "schemaString": json.dumps(schema),
                    "partitionColumns": [],
                    "configuration": configuration,
                    "createdTime": 0,
                }
            },
            {
                "add": {
                    "path": "a.parquet",
                    "partitionValues": {},
                    "size": (path / "a.parquet").stat().st_size,
                    "modificationTime": 0,
                    "dataChange": True,
                    "stats": '{"numRecords": 3}',
                    **of_file,
                }
            },
        ]
        log = "\n".join(map(json.dumps, actions))
        (path / "_delta_log" / f"{0:020}.json").write_text(log)
        return path

    return write


#: The first row is deleted: a roaring bitmap of {0}, in Z85 as the protocol has it.
VECTOR = {
    "storageType": "i",
    "pathOrInlineDv": "^Bg9^0rr910000000000iXQKl0rr91000005c8Xg00000",
    "sizeInBytes": 34,
    "cardinality": 1,
}


def test_a_table_with_deletion_vectors_is_refused(protocol):
    path = protocol(["deletionVectors"], {}, deletionVector=VECTOR)
    with pytest.raises(DataError, match=r"has deletion vectors.*Rewrite it"):
        open_dataset(path, "real")


def test_the_feature_alone_deletes_nothing(protocol):
    assert open_dataset(protocol(["deletionVectors"], {}), "real").rows == 3


def test_a_file_has_the_types_of_the_table(protocol):
    path = protocol([], {})
    pq.write_table(pa.table({"x": pa.array([1, None, 3], pa.int32())}), path / "a.parquet")
    dataset = open_dataset(path, "real")
    assert dataset.schema.types == [pa.int64()]
    assert dataset.table.to_pydict() == {"x": [1, None, 3]}


def test_a_table_with_mapped_columns_is_refused(protocol):
    path = protocol(["columnMapping"], {"delta.columnMapping.mode": "name"})
    with pytest.raises(DataError, match=r"maps its columns to other names.*Rewrite it"):
        open_dataset(path, "real")


@pytest.mark.parametrize("kind", ["delta", "iceberg"])
def test_a_table_that_is_gone_is_refused(tmp_path, kind):
    with pytest.raises(DataError, match=f"there is no {kind.title()} table .*gone"):
        open_dataset(str(tmp_path / "gone"), "real", format=kind)


@pytest.mark.parametrize("package", ["deltalake", "pyiceberg"])
def test_a_missing_extra_is_named(delta, iceberg, monkeypatch, package):
    path = delta if package == "deltalake" else iceberg.location()
    original = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named '{package}'", name=package)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    extra = "delta" if package == "deltalake" else "iceberg"
    with pytest.raises(DataError, match=rf"Install 'synthmix-dagster\[{extra}\]'"):
        open_dataset(path, "real")


def test_the_manifest_states_the_version(delta, tmp_path):
    release = mix(
        open_dataset(delta, "real", version=0, columns=["x", "s"]),
        pa.table({"x": range(10, 30), "s": ["q"] * 20}),
        ratio=1,
        output=tmp_path,
    )
    assert release.manifest["inputs"]["real"]["reading"] == {"format": "delta", "version": 0}
    assert "reading" not in release.manifest["inputs"]["synthetic"]
    assert "format='delta', version=0)" in program(release.details)


# --- Iceberg -------------------------------------------------------------------------------------


def test_an_iceberg_table_is_its_newest_snapshot(iceberg):
    for source in (iceberg.location(), iceberg.metadata_location):
        dataset = open_dataset(source, "real")
        assert dataset.columns == ["x", "day", "label"]
        got = dataset.table.sort_by("x").to_pydict()
        assert got["x"] == [1, 3, 4, 5, 5]
        assert got["label"] == ["a", None, "d", "e", "e"]
        newest = iceberg.current_snapshot().snapshot_id
        assert dataset.options.said == {"format": "iceberg", "version": newest}


def test_an_earlier_snapshot_has_the_rows_and_names_it_had(iceberg):
    first, second, *_ = [each.snapshot_id for each in iceberg.snapshots()]
    assert same_rows(open_dataset(iceberg.location(), "real", version=first), ROWS)
    assert same_rows(
        open_dataset(iceberg.location(), "real", version=str(second)),
        pa.concat_tables([ROWS, MORE]),
    )


@pytest.mark.parametrize("version", [12345, "no_branch"])
def test_a_snapshot_that_is_not_there_is_refused(iceberg, version):
    with pytest.raises(DataError, match=f"no snapshot, branch or tag.*{version}"):
        open_dataset(iceberg.location(), "real", version=version)


def test_a_branch_is_a_version(iceberg):
    assert open_dataset(iceberg.location(), "real", version="main").rows == 5


def test_pieces_of_an_iceberg_table_are_bounded(iceberg):
    dataset = open_dataset(iceberg.location(), "real")
    pieces = list(dataset.source.pieces(1))
    assert [piece.table.num_rows for piece in pieces] == [1] * 5
    assert dataset.frame([4, 0])["x"].tolist() == [
        pieces[4].table["x"][0].as_py(),
        pieces[0].table["x"][0].as_py(),
    ]


@pytest.mark.parametrize("renamed", [False, True])
def test_a_large_file_is_not_held_in_memory(tmp_path, renamed):
    catalogs = pytest.importorskip("pyiceberg.catalog.sql")
    catalog = catalogs.SqlCatalog(
        "large", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}"
    )
    catalog.create_namespace("lake")
    numbers = np.arange(2_000_000, dtype=np.int32) // 1_000
    rows = pa.table({"x": numbers, "s": pa.repeat("a", len(numbers))})
    table = catalog.create_table("lake.rows", schema=rows.schema)
    table.append(rows)
    if renamed:
        with table.update_schema() as update:
            update.update_column("x", pytest.importorskip("pyiceberg.types").LongType())
            update.rename_column("x", "z")
        # A snapshot has the columns that the table had when it was written.
        table.append(pa.table({"z": [0], "s": ["b"]}))
    source = open_dataset(table.location(), "real").source
    before = pa.total_allocated_bytes()
    pieces = (piece for piece in source.pieces(1_000) if piece.file.rows > 1)
    first = next(pieces)
    assert first.table.num_rows == 1_000
    assert pa.total_allocated_bytes() - before < rows.nbytes / 2
    assert source.schema.names == ["z" if renamed else "x", "s"]
    assert source.schema.types == [pa.int64() if renamed else pa.int32(), pa.string()]
    assert first.table.column(0).to_pylist() == [0] * 1_000
    assert source.take([1_999_999]).column(0).to_pylist() == [1_999]
