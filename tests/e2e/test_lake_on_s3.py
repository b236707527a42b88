"""Delta and Iceberg tables on a real S3 server: read by environment and by storage, and written."""

import uuid

import dagster as dg
import pyarrow as pa
import pytest
from s3 import BUCKET, KEY, SECRET, access, s3_server
from scenario import good, rows, write_inputs

from synthmix_dagster import SynthMixStorage, build_synthmix_defs, verify_release
from synthmix_dagster.data.dataset import open_dataset
from synthmix_dagster.data.fingerprint import content_sha256
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.errors import DataError

pytestmark = [pytest.mark.slow, pytest.mark.server]

deltalake = pytest.importorskip("deltalake")
catalogs = pytest.importorskip("pyiceberg.catalog.sql")
ROOT = f"s3://{BUCKET}/lake"


@pytest.fixture(scope="module")
def endpoint():
    with s3_server() as address:
        yield address


def table_of(frame):
    return pa.Table.from_pandas(frame, preserve_index=False)


def delta(endpoint, frame, name):
    place = open_store(f"{ROOT}/{name}", access(endpoint))
    options = place.lake_options("delta")
    deltalake.write_deltalake(place.uri, table_of(frame), storage_options=options)
    return place


def iceberg(endpoint, frame, name, folder):
    place = open_store(f"{ROOT}/{name}", access(endpoint))
    catalog = catalogs.SqlCatalog(
        "lake",
        uri=f"sqlite:///{folder}/{uuid.uuid4().hex}.db",
        warehouse=ROOT,
        **place.lake_options("iceberg"),
    )
    catalog.create_namespace("n")
    table = catalog.create_table(f"n.{name}", schema=table_of(frame).schema, location=place.uri)
    table.append(table_of(frame))
    return place


def same_rows(dataset, frame):
    table = table_of(frame)
    found = dataset.table.select(table.column_names).cast(table.schema)
    return content_sha256(found) == content_sha256(table)


def in_environment(monkeypatch, endpoint):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")


@pytest.mark.parametrize("kind", ["delta", "iceberg"])
def test_a_table_is_read_by_its_storage_and_by_the_environment(
    endpoint, tmp_path, kind, monkeypatch
):
    name = f"read_{kind}"
    made = delta(endpoint, good(), name) if kind == "delta" else None
    place = made or iceberg(endpoint, good(), name, tmp_path)
    # The environment knows nothing of the server.
    for unset in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(unset, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    through = open_dataset(place, "real")
    assert same_rows(through, good())
    assert through.options.said["format"] == kind
    with pytest.raises(DataError, match="has no"):
        open_dataset(place, "real", version=77)
    in_environment(monkeypatch, endpoint)
    assert same_rows(open_dataset(place.uri, "real"), good())


def test_a_mix_reads_tables_through_a_storage_and_appends_its_release_to_one(
    endpoint, tmp_path, instance
):
    real = delta(endpoint, rows(100, seed=0), "real")
    synthetic = iceberg(endpoint, good(), "synthetic", tmp_path)
    options = write_inputs(tmp_path) | {
        "real": {"path": real.uri, "storage": "lake"},
        "synthetic": {"path": synthetic.uri, "storage": "lake"},
        "output_root": f"s3://{BUCKET}/mixes",
        "storage": "lake",
        "publish": {"delta": f"{ROOT}/released"},
        "permutations": 0,
        "directions": 5,
    }
    lake = SynthMixStorage(
        endpoint=endpoint, region="us-east-1", access_key_id=KEY, secret_access_key=SECRET
    )
    defs = build_synthmix_defs(**options)
    result = dg.materialize(
        [*(defs.assets or ())],
        instance=instance,
        resources={**(defs.resources or {}), "lake": lake},
    )
    assert result.success
    release = verify_release(f"s3://{BUCKET}/mixes/demo", storage=access(endpoint))
    read = {name: each.reading for name, each in release.details.inputs.items()}
    assert {name: each["format"] for name, each in read.items()} == {
        "real": "delta",
        "synthetic": "iceberg",
    }
    place = open_store(f"{ROOT}/released", access(endpoint))
    released = deltalake.DeltaTable(place.uri, storage_options=place.lake_options("delta"))
    assert released.history(1)[0]["synthmix.release_id"] == release.release_id
    found = released.to_pyarrow_table()
    plain = release.to_arrow().cast(found.schema)
    assert content_sha256(found) == content_sha256(plain)
    # No key of the server stands in what was written.
    written = open_store(f"s3://{BUCKET}", access(endpoint))
    for file in written.files():
        if not file.name.endswith(".parquet"):
            assert SECRET.encode() not in written.read(file.name), file.name
