"""A query or a table as a dataset: asked once a run, by whoever ingests it, and never again."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from dagster_duckdb import DuckDBResource
from mix_runs import failure, metadata_of, run
from scenario import good, rows

from synthmix_dagster import (
    SynthMixConnection,
    build_drift_monitor,
    build_synthmix_checks,
    build_synthmix_defs,
    load_release,
    measure_distance,
    mix,
)
from synthmix_dagster.errors import ConfigError

ROLES = ("real", "synthetic", "distribution_distance", "optimal_ratio", "training_data")


class Counted(DuckDBResource):
    """Counts how often it was asked for a connection, across processes."""

    log: str

    @contextmanager
    def get_connection(self) -> Iterator[Any]:
        with Path(self.log).open("a") as log:
            log.write("asked\n")
        with super().get_connection() as connection:
            yield connection


def fill(database: Path, **tables: pd.DataFrame) -> None:
    with duckdb.connect(str(database)) as connection:
        for name, frame in tables.items():
            connection.register("given", frame)
            connection.execute(f"create or replace table {name} as select * from given")


def asked(log: Path) -> int:
    return len(log.read_text().splitlines())


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    fill(path, customers=rows(100, seed=0), generated=good())
    return path


def settings(folder: Path, **options: Any) -> dict[str, Any]:
    return {
        "name": "demo",
        "real": {"query": "select * from customers where x > -9", "connection": "warehouse"},
        "synthetic": {"table": "main.generated", "connection": "warehouse"},
        "target": "y",
        "task": "regression",
        "threshold": 0.5,
        "output_root": str(folder / "mixes"),
        "permutations": 19,
        "directions": 20,
        **options,
    }


def resources(database: Path, folder: Path) -> dict[str, Any]:
    return {"warehouse": Counted(database=str(database), log=str(folder / "asked.log"))}


def test_each_table_is_asked_once_and_every_later_step_reads_the_snapshot(
    tmp_path: Path, database: Path, instance: dg.DagsterInstance
) -> None:
    options, given = settings(tmp_path), resources(database, tmp_path)
    result = run(options, instance, "real", "synthetic", resources=given)
    assert result.success
    assert asked(tmp_path / "asked.log") == 2
    found = metadata_of(result, "real")
    assert found["dagster/row_count"] == 100
    assert found["synthmix/query"] == "warehouse: select * from customers where x > -9"
    assert "dagster/uri" not in found
    # The tables move on, and go: what was ingested is what is measured and released.
    with duckdb.connect(str(database)) as connection:
        connection.execute("drop table customers; update generated set y = 1000")
    assert run(options, instance, *ROLES[2:], resources=given).success
    assert asked(tmp_path / "asked.log") == 2
    release = load_release(tmp_path / "mixes" / "demo")
    assert release.details.real.identity.by == "content"
    origin = release.details.real.origin
    assert origin is not None
    assert origin["query"] == "select * from customers where x > -9"
    assert release.to_pandas(["y"])["y"].max() < 100
    assert "select * from customers where x" in (release.path / "report.html").read_text()
    # A failed query leaves the snapshot, and with it everything that was stored.
    broken = run(options, instance, "real", resources=given)
    assert "connection 'warehouse', query 'select * from customers" in failure(broken)
    assert "customers does not exist" in failure(broken)
    assert run(options, instance, "training_data", resources=given).success


@pytest.mark.slow
def test_the_same_rows_give_the_same_release_as_table_and_frame(
    tmp_path: Path, database: Path, instance: dg.DagsterInstance
) -> None:
    """By content, with a counter: repeated rows too. Neither order nor door matter."""
    real = pd.concat([rows(60, seed=0), rows(60, seed=0).head(20)])
    fill(database, customers=real.sample(frac=1, random_state=4), generated=good())
    given = resources(database, tmp_path)
    ids = []
    for name in ("one", "two"):
        assert run(settings(tmp_path, output=name), instance, *ROLES, resources=given).success
        ids.append(load_release(tmp_path / "mixes" / name))
        fill(database, customers=real.sample(frac=1, random_state=5), generated=good())
    one, two = ids
    assert one.release_id == two.release_id
    assert [s.read_bytes() for s in one.shards] == [s.read_bytes() for s in two.shards]
    ratio = one.details.mix.ratio
    # Pandas has text in a type of its own; what a table holds is Arrow's plain one.
    sides = [
        pa.Table.from_pandas(frame, preserve_index=False).cast(
            pa.schema([(n, pa.string() if n == "kind" else pa.float64()) for n in frame.columns])
        )
        for frame in (real, good())
    ]
    framed = mix(*sides, ratio=ratio, output=tmp_path / "framed")
    assert framed.release_id == one.release_id
    assert [s.read_bytes() for s in framed.shards] == [s.read_bytes() for s in one.shards]


@pytest.mark.slow
def test_partitions_are_bound_as_parameters(
    tmp_path: Path, database: Path, instance: dg.DagsterInstance
) -> None:
    days = ["2026-01-01", "2026-01-02"]
    hostile = "x' or '1'='1"
    frames = [rows(100, seed=n).assign(day=pd.Timestamp(day)) for n, day in enumerate(days)]
    fill(database, customers=pd.concat(frames), generated=good())
    with duckdb.connect(str(database)) as connection:
        connection.execute("alter table customers alter day type date")
    query = "select * exclude day from customers where day = {partition_key}"
    window = "select * from generated where current_date > {partition_start:%Y-%m-%d}"
    options = settings(
        tmp_path,
        real={"query": query, "connection": "warehouse"},
        synthetic={"query": window, "connection": "warehouse"},
        partitions_def={"type": "daily", "start_date": days[0]},
    )
    built = dg.Definitions.merge(
        build_synthmix_defs(**options), dg.Definitions(resources=resources(database, tmp_path))
    )
    job = built.resolve_job_def("demo_job")
    result = job.execute_in_process(instance=instance, partition_key=days[1], raise_on_error=False)
    assert result.success
    release = load_release(tmp_path / "mixes" / "demo" / "partitions" / days[1])
    assert release.details.real.rows == 100
    origin = release.details.real.origin
    assert origin is not None
    assert origin["parameters"] == [days[1]]
    # A key is a value, whatever it spells.
    static = {**options, "partitions_def": {"type": "static", "partition_keys": [hostile]}}
    text = {"query": query.replace("day =", "day::varchar ="), "connection": "warehouse"}
    static |= {
        "real": text,
        "synthetic": options["synthetic"] | {"query": "select * from generated"},
    }
    job = dg.Definitions.merge(
        build_synthmix_defs(**static), dg.Definitions(resources=resources(database, tmp_path))
    ).resolve_job_def("demo_job")
    result = job.execute_in_process(instance=instance, partition_key=hostile, raise_on_error=False)
    assert "the query returned no rows" in failure(result)


@pytest.mark.slow
def test_queried_evaluation_rows_are_unloaded_once_as_well(
    tmp_path: Path, database: Path, instance: dg.DagsterInstance
) -> None:
    fill(database, judges=rows(50, seed=9))
    evaluation = {"table": "judges", "connection": "warehouse", "deps": ["models/judges"]}
    options, given = settings(tmp_path, evaluation=evaluation), resources(database, tmp_path)
    assert run(options, instance, *ROLES, resources=given).success
    assert asked(tmp_path / "asked.log") == 3
    defs = dg.Definitions.merge(build_synthmix_defs(**options), dg.Definitions(resources=given))
    graph = defs.resolve_asset_graph()
    assert dg.AssetKey(["models", "judges"]) in graph.get(dg.AssetKey(["demo", "real"])).parent_keys


@pytest.mark.slow
def test_snapshots_go_when_no_release_needs_them(
    tmp_path: Path, database: Path, instance: dg.DagsterInstance
) -> None:
    given = resources(database, tmp_path)
    folder = tmp_path / "mixes" / "demo" / "snapshots" / "demo" / "real" / "releases"

    def ingest(seed: int, *roles: str, **options: Any) -> int:
        fill(database, customers=rows(100, seed=seed))
        assert run(settings(tmp_path, **options), instance, *roles, resources=given).success
        return len([entry for entry in folder.iterdir() if not entry.name.startswith(".")])

    assert ingest(0, *ROLES) == 1
    assert ingest(1, "real") == 2, "the release was made from the first"
    assert ingest(2, "real") == 2, "nothing was made from the second"
    assert ingest(3, "real", keep_snapshots=2) == 2
    assert ingest(4, "real", keep_snapshots=1) == 1


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no connection": ({"query": "select 1"}, "set 'connection' together with 'query' or 'table'"),
    "no query": ({"path": "a.parquet", "connection": "w"}, "set 'connection' together with"),
    "both": ({"query": "select 1", "table": "t", "connection": "w"}, "set exactly one of 'path', "),
    "writes": ({"query": "delete from t", "connection": "w"}, "it begins with 'delete'"),
    "several": ({"query": "select 1; select 2", "connection": "w"}, "several statements"),
    "name": ({"table": 't"; drop table u', "connection": "w"}, "is not a plain name of a table"),
    "quoted": (
        {"query": "select '{partition_key}'", "connection": "w"},
        "stands in quotes in 'query'",
    ),
    "unfilled": (
        {"query": "select * from t where a = {partition_key}", "connection": "w"},
        r"unknown placeholder '\{partition_key\}' in 'query'",
    ),
    "mistyped": (
        {"query": "select * from t where a = {partiton}", "connection": "w"},
        r"unknown placeholder '\{partiton\}' in 'query'",
    ),
    "time": ({"table": "t", "connection": "w", "time_limit": 0}, "'time_limit' is a number of"),
    "format": ({"table": "t", "connection": "w", "format": "csv"}, "'format' requires 'path'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_settings_are_named_when_the_project_loads(tmp_path: Path, case: str) -> None:
    source, why = WRONG[case]
    with pytest.raises(ConfigError, match=why):
        build_synthmix_defs(**settings(tmp_path, real=source))


def test_a_resource_without_connection_and_another_query_are_named(
    tmp_path: Path, database: Path, instance: dg.DagsterInstance
) -> None:
    result = run(settings(tmp_path), instance, "real", resources={"warehouse": {"a": 1}})
    assert "the resource 'warehouse' is a dict, which has no 'get_connection'" in failure(result)
    given = resources(database, tmp_path)
    result = run(settings(tmp_path), instance, "distribution_distance", resources=given)
    assert "was never ingested. Materialise 'demo/real' and everything" in failure(result)
    assert run(settings(tmp_path), instance, "real", "synthetic", resources=given).success
    other = settings(tmp_path, real={"table": "customers", "connection": "warehouse"})
    result = run(other, instance, "distribution_distance", resources=given)
    assert "'warehouse: customers' was ingested by another query" in failure(result)


def test_a_planted_password_shows_up_nowhere(
    tmp_path: Path, instance_on_disk: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_URI", "postgresql://me:hunter2planted@127.0.0.1:1/none")
    given = {
        "warehouse": SynthMixConnection(
            driver="postgresql",
            uri=dg.EnvVar("WAREHOUSE_URI"),
        )
    }
    result = run(settings(tmp_path), instance_on_disk, "real", resources=given)
    assert "connection 'warehouse': it cannot be opened" in failure(result)
    logged = [entry.to_json() for entry in instance_on_disk.all_logs(result.run_id)]
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any("hunter2planted" in text for text in map(json.dumps, logged))
    assert not any(b"hunter2planted" in content for content in written)


def test_an_asset_without_a_value_is_explained_with_the_option_that_names_its_table(
    tmp_path: Path, instance_on_disk: dg.DagsterInstance
) -> None:
    """A dbt model has no value; Dagster's own error says nothing of what to do."""

    @dg.asset
    def customers() -> dg.MaterializeResult[Any]:
        return dg.MaterializeResult()

    good().to_parquet(tmp_path / "generated.parquet")
    options = settings(
        tmp_path,
        real={"asset": "customers"},
        synthetic={"path": str(tmp_path / "generated.parquet")},
    )
    built = dg.Definitions.merge(build_synthmix_defs(**options), dg.Definitions(assets=[customers]))
    result = built.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance_on_disk, raise_on_error=False
    )
    assert not result.success
    said = [entry.user_message for entry in instance_on_disk.all_logs(result.run_id)]
    (named,) = [message for message in said if "asset 'customers'" in message]
    assert "real: {table: main.customers, connection: a resource, deps: [customers]}" in named


@pytest.mark.slow
def test_each_of_several_generators_may_be_a_query(
    tmp_path: Path, database: Path, instance: dg.DagsterInstance
) -> None:
    fill(database, second=rows(300, seed=5))
    options = settings(
        tmp_path,
        synthetic={
            "first": {"table": "generated", "connection": "warehouse"},
            "second": {
                "query": "select * from second where {partition_start}::date < date '2027-01-01'",
                "connection": "warehouse",
            },
        },
        partitions_def={"type": "daily", "start_date": "2026-01-01"},
    )
    given = resources(database, tmp_path)
    job = dg.Definitions.merge(
        build_synthmix_defs(**options), dg.Definitions(resources=given)
    ).resolve_job_def("demo_job")
    result = job.execute_in_process(
        instance=instance, partition_key="2026-01-01", raise_on_error=False
    )
    assert result.success
    assert asked(tmp_path / "asked.log") == 3
    release = load_release(tmp_path / "mixes" / "demo" / "partitions" / "2026-01-01")
    origins = {name: of.origin for name, of in release.details.inputs.items()}
    assert all(origin is not None for origin in origins.values())
    assert origins["second"]["parameters"] == ["2026-01-01T00:00:00"]  # type: ignore[index]


def test_checks_alone_refuse_queries_by_name() -> None:
    queried = {"table": "customers", "connection": "warehouse"}
    with pytest.raises(ConfigError, match="'real' has a 'query' or a 'table'"):
        build_synthmix_checks(synthetic="generated", real=queried, threshold=0.5)


def test_a_monitor_watches_queries_a_partition_a_batch(
    tmp_path: Path, database: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [f"2026-11-{day:02d}" for day in range(1, 5)]
    batches = {day: rows(60, seed=number).assign(day=day) for number, day in enumerate(days)}
    # The last day has none.
    fill(database, batches=pd.concat([batches[day] for day in days[:3]]))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    partitions = dg.StaticPartitionsDefinition(days)
    defs = dg.Definitions.merge(
        build_drift_monitor(
            name="watch",
            partitions_def=partitions,
            real={"table": "customers", "connection": "warehouse"},
            synthetic={
                "query": "select * from batches where day = {partition_key}",
                "columns": ["x", "y"],
                "connection": "warehouse",
                "deps": ["generated"],
            },
            output_root=str(tmp_path / "monitors"),
            reference=1,
            history=2,
            directions=4,
        ),
        dg.Definitions(resources=resources(database, tmp_path)),
    )
    key = dg.AssetKey(["watch", "distribution_distance"])
    assert defs.resolve_asset_graph().get(key).parent_keys == {dg.AssetKey("generated")}
    gaps = {}
    for day in days:
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, partition_key=day, raise_on_error=False
        )
        (event,) = (e for e in result.get_asset_materialization_events() if e.asset_key == key)
        gaps[day] = event.materialization.metadata.get("synthmix/gap")
    for day in days[:3]:
        expected = measure_distance(
            rows(100, seed=0), batches[day][["x", "y"]], permutations=0, directions=4
        )
        found = gaps[day]
        assert found is not None
        assert found.value == expected.gap
    assert gaps[days[3]] is None
    (check,) = result.get_asset_check_evaluations()
    assert "cannot be judged: dataset 'synthetic', connection 'warehouse'" in str(check.description)
    assert "the query returned no rows" in str(check.description)
    assert asked(tmp_path / "asked.log") == 2 * len(days)
    assert list(scratch.iterdir()) == []
