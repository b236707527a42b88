"""A release in a Delta table: one version, once, whatever goes wrong."""

import threading
import traceback

import pandas as pd
import pyarrow as pa
import pytest
from s3 import BUCKET, access, s3_server

from synthmix_dagster import StoreAccess, mix
from synthmix_dagster.data.fingerprint import content_sha256
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.errors import ReleaseError
from synthmix_dagster.release.delta_target import RELEASE_ID, append_to_delta

deltalake = pytest.importorskip("deltalake")
REAL = pd.DataFrame({"x": range(10), "y": pd.Categorical(list("ababababab"))})
SYNTHETIC = pd.DataFrame({"x": range(100, 130), "y": pd.Categorical(["b", "a"] * 15)})


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    output = tmp_path_factory.mktemp("mixes")
    return [mix(REAL, SYNTHETIC, ratio=1.0, output=output, seed=seed) for seed in range(3)]


@pytest.fixture
def table(tmp_path):
    return open_store(tmp_path / "a table" / "of=rows")


def opened(table):
    return deltalake.DeltaTable(table.uri, storage_options=table.lake_options("delta"))


def rows_of(table, version):
    found = opened(table)
    found.load_as_version(version)
    return found.to_pyarrow_table()


def require_once(table, *added):
    """The table has the rows of these releases, each added by the version that names it."""
    history = {each["version"]: each.get(RELEASE_ID) for each in opened(table).history()}
    assert history == {0: None, **{number + 1: r.release_id for number, r in enumerate(added)}}
    for number in range(len(added)):
        rows = rows_of(table, number + 1)
        whole = pa.concat_tables(each.to_arrow().cast(rows.schema) for each in added[: number + 1])
        order = [("synthmix_row_id", "ascending"), ("x", "ascending")]
        assert content_sha256(rows.sort_by(order)) == content_sha256(whole.sort_by(order))


def test_each_release_is_one_version_and_none_is_appended_twice(releases, table):
    first, second, _ = releases
    made = [append_to_delta(each, table) for each in (first, second, first, second)]
    assert [(each.version, each.appended) for each in made] == [
        (1, True),
        (2, True),
        (1, False),
        (2, False),
    ]
    require_once(table, first, second)
    # Even when the table has forgotten its history.
    opened(table).create_checkpoint()
    for log in (open_store(table).path / "_delta_log").glob("*.json"):
        log.unlink()
    assert append_to_delta(first, table).appended is False


def test_of_racing_writers_of_one_release_one_appends(releases, table):
    made = []
    threads = [
        threading.Thread(target=lambda each=each: made.append(append_to_delta(each, table)))
        for each in (releases[0], releases[0], releases[0], releases[1])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.appended for each in made) == [False, False, True, True]
    # Two that find no table may both make one, which is then one version without rows more.
    named = [each[RELEASE_ID] for each in opened(table).history() if RELEASE_ID in each]
    assert sorted(named) == sorted(each.release_id for each in releases[:2])
    assert opened(table).to_pyarrow_table().num_rows == 40


def test_other_columns_are_refused_and_the_table_stays_as_it_was(releases, table, tmp_path):
    append_to_delta(releases[0], table)
    other = mix(REAL.assign(z=1.5), SYNTHETIC.assign(z=0.5), ratio=1.0, output=tmp_path / "other")
    with pytest.raises(ReleaseError, match=r"cannot be added to the Delta table .*Use a table of"):
        append_to_delta(other, table)
    assert (opened(table).version(), rows_of(table, 1).num_rows) == (1, 20)


def test_a_dead_endpoint_is_named_without_the_secret_in_the_address(releases):
    address = "s3://key:planted-secret@bucket/rows?endpoint_override=127.0.0.1:9&scheme=http"
    access = StoreAccess(region="us-east-1", timeout_seconds=0.5, retry_seconds=0.2)
    with pytest.raises(ReleaseError, match="table 's3://bucket/rows'") as caught:
        append_to_delta(releases[0], open_store(address, access))
    assert "planted" not in "".join(traceback.format_exception(caught.value))


def test_a_missing_package_is_named(releases, table, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "deltalake.exceptions", None)
    with pytest.raises(ReleaseError, match=r"Install 'synthmix-dagster\[delta\]'"):
        append_to_delta(releases[0], table)


@pytest.mark.slow
@pytest.mark.server
def test_a_table_on_s3_is_reached_as_its_storage_says(releases, tmp_path):
    with s3_server() as endpoint:
        uri = f"s3://{BUCKET}/lake/rows"
        table = open_store(uri, access(endpoint))
        stored = mix(
            REAL,
            SYNTHETIC,
            ratio=1.0,
            output=f"s3://{BUCKET}/mixes",
            storage=access(endpoint),
        )
        made = [append_to_delta(each, table) for each in (stored, releases[1], stored)]
        assert [(each.version, each.appended) for each in made] == [
            (1, True),
            (2, True),
            (1, False),
        ]
        require_once(table, stored, releases[1])
        quick = StoreAccess(endpoint=endpoint, region="us-east-1", retry_seconds=0.5)
        elsewhere = open_store("s3://no-such-bucket/rows", quick)
        with pytest.raises(ReleaseError, match="no-such-bucket"):
            append_to_delta(stored, elsewhere)
