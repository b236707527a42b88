"""A release as a table: after its gates, whole or not at all, as an asset of its own."""

import gc
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pytest
from dagster_duckdb import DuckDBResource
from mix_runs import failure, metadata_of, run
from scenario import bad, good, rows, write_inputs

from synthmix_dagster import build_synthmix_defs, load_release
from synthmix_dagster import mix as publish_frames
from synthmix_dagster.data.warehouse import AdbcAccess, Warehouse
from synthmix_dagster.errors import ConfigError, QueryError, ReleaseError
from synthmix_dagster.release.table_target import write_table


def resources(folder: Path) -> dict[str, Any]:
    return {"warehouse": DuckDBResource(database=str(folder / "w.duckdb"))}


def table(folder: Path, name: str = "analytics.churn") -> pd.DataFrame:
    with duckdb.connect(str(folder / "w.duckdb"), read_only=True) as connection:
        return connection.sql(f"select * from {name}").df()


def settings(folder: Path, **publish: Any) -> dict[str, Any]:
    return write_inputs(folder) | {
        "publish": {"table": "analytics.churn", "connection": "warehouse", **publish}
    }


def test_the_release_that_passed_is_the_table_and_a_refused_one_leaves_it(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    given, options = resources(tmp_path), settings(tmp_path)
    result = run(options, instance, resources=given)
    assert result.success
    release = load_release(tmp_path / "mixes" / "demo")
    found = table(tmp_path)
    assert found["y"].sum() == pytest.approx(release.to_pandas()["y"].sum())
    assert len(found) == release.details.realised.rows
    said = metadata_of(result, "published_table")
    assert said["synthmix/release_id"] == release.release_id
    assert said["dagster/table_name"] == "analytics.churn"
    assert said["dagster/row_count"] == len(found)
    assert release.details.table == {
        "table": "analytics.churn",
        "connection": "warehouse",
        "mode": "replace",
    }
    # The asset that dbt and dashboards depend on waits for the release.
    graph = dg.Definitions.merge(
        build_synthmix_defs(**options), dg.Definitions(resources=given)
    ).resolve_asset_graph()
    node = graph.get(dg.AssetKey(["demo", "published_table"]))
    assert node.parent_keys == {dg.AssetKey(["demo", "training_data"])}
    bad().to_parquet(tmp_path / "synthetic.parquet")
    assert not run(options, instance, resources=given).success
    pd.testing.assert_frame_equal(table(tmp_path), found)
    # Published alone, it is the last good release, and nothing changes.
    assert run(options, instance, "published_table", resources=given).success
    pd.testing.assert_frame_equal(table(tmp_path), found)


@pytest.mark.slow
def test_releases_are_appended_once_with_their_ids(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    given, options = resources(tmp_path), settings(tmp_path, mode="append")
    ids = []
    for seed in range(2):
        rows(100, seed=seed).to_parquet(tmp_path / "real.parquet")
        assert run(options, instance, resources=given).success
        # A step that is tried again adds nothing.
        assert run(options, instance, "published_table", resources=given).success
        ids.append(load_release(tmp_path / "mixes" / "demo"))
    counts = table(tmp_path)["release_id"].value_counts().to_dict()
    assert counts == {each.release_id: each.details.realised.rows for each in ids}


def test_partitions_of_one_table_replace_their_own_rows(tmp_path: Path) -> None:
    release = publish_frames(
        rows(20, seed=0), good(60), ratio=1.0, output=tmp_path / "out", provenance=False
    )
    warehouse = Warehouse("warehouse", resources(tmp_path)["warehouse"])
    for key in ("a", "b", "a"):
        write_table(release, warehouse, "churn", partition=key)
    assert table(tmp_path, "churn")["partition_key"].value_counts().to_dict() == {"a": 40, "b": 40}
    other = publish_frames(
        rows(20, seed=0)[["x", "y"]], good(60)[["x", "y"]], ratio=1.0, output=tmp_path / "two"
    )
    with pytest.raises(QueryError, match=r"has other columns \(.*kind.*\) than the release"):
        write_table(other, warehouse, "churn", partition="a")
    assert len(table(tmp_path, "churn")) == 80
    # Alone in its table, a release of other columns replaces it.
    write_table(other, warehouse, "churn")
    assert len(table(tmp_path, "churn")) == 40


def test_a_table_that_cannot_be_written_is_what_it_was(tmp_path: Path) -> None:
    release = publish_frames(rows(20, seed=0), good(60), ratio=1.0, output=tmp_path / "out")
    warehouse = Warehouse("warehouse", resources(tmp_path)["warehouse"])
    write_table(release, warehouse, "churn")
    shard = release.shards[0]
    content = shard.read_bytes()
    # Its footer can be read, its rows cannot.
    shard.write_bytes(content[:50] + bytes(len(content) // 3) + content[50 + len(content) // 3 :])
    with pytest.raises(QueryError, match="writing the table failed"):
        write_table(release, warehouse, "churn")
    assert len(table(tmp_path, "churn")) == 40
    shard.write_bytes(content)
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute("create view taken as select 1 as x")
    with pytest.raises(
        QueryError, match="connection 'warehouse', query 'taken': writing the table"
    ):
        write_table(release, warehouse, "taken")
    named = publish_frames(
        rows(20, seed=0).assign(release_id="a"),
        good(60).assign(release_id="a"),
        ratio=1.0,
        output=tmp_path / "named",
    )
    with pytest.raises(ReleaseError, match="'release_id' has the name of one that the table adds"):
        write_table(named, warehouse, "churn", append=True)
    sqlite = Warehouse("warehouse", AdbcAccess("sqlite", str(tmp_path / "s.db")))
    with pytest.raises(QueryError, match="not known to write a table whole or not at all"):
        write_table(release, sqlite, "churn")


def test_nothing_is_published_before_there_is_a_release(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    result = run(settings(tmp_path), instance, "published_table", resources=resources(tmp_path))
    assert "there is no release to publish as a table. Materialise 'demo/training_data'" in failure(
        result
    )


@pytest.mark.parametrize(
    ("publish", "why"),
    [
        ({"table": "a"}, "set 'table' and 'connection' together"),
        ({"table": 'a"; drop table b', "connection": "w"}, "is not a plain name of a table"),
        ({"table": "a.b.c", "connection": "w"}, "has three parts"),
        ({"table": "a", "connection": "w", "mode": "upsert"}, "unknown value 'upsert'"),
        ({"delta": "t", "mode": "append"}, "'mode' requires 'table'"),
        ({"table": "a", "connection": "w", "time_limit": 0}, "Set it above 0"),
        ({}, "no target is set"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, publish: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        build_synthmix_defs(**write_inputs(tmp_path) | {"publish": publish})


def test_what_fails_keeps_no_connection_open(tmp_path: Path) -> None:
    frames = rows(20, seed=0), good(60)
    release = publish_frames(*frames, ratio=1.0, output=tmp_path / "out")
    other = publish_frames(*(f[["x", "y"]] for f in frames), ratio=1.0, output=tmp_path / "two")
    warehouse = Warehouse("warehouse", resources(tmp_path)["warehouse"])
    write_table(release, warehouse, "churn", partition="a")
    gc.disable()
    try:
        with pytest.raises(QueryError):
            write_table(other, warehouse, "churn", partition="b")
        # In another mode than that of the resource, which one file allows only where it is closed.
        assert len(table(tmp_path, "churn")) == 40
    finally:
        gc.enable()
