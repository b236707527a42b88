"""Rows from a database, everything else on an S3 server: each step on a machine of its own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from machines import EXECUTOR
from s3 import BUCKET, KEY, SECRET, access, s3_server
from scenario import good, rows
from servers import execute, postgres

from synthmix_dagster import verify_release
from synthmix_dagster.data.opening import open_store

pytestmark = [pytest.mark.slow, pytest.mark.server]

PROJECT = (
    EXECUTOR
    + """
from dagster_duckdb import DuckDBResource
from synthmix_dagster import SynthMixConnection, SynthMixStorage

DAYS = dg.StaticPartitionsDefinition(["monday", "tuesday"])

def job():
    lake = SynthMixStorage(
        endpoint=GIVEN["endpoint"],
        region="us-east-1",
        access_key_id=dg.EnvVar("LAKE_KEY"),
        secret_access_key=dg.EnvVar("LAKE_SECRET"),
    )
    warehouse = (
        SynthMixConnection(driver="postgresql", uri=dg.EnvVar("WAREHOUSE_URI"))
        if GIVEN["kind"] == "postgres"
        else DuckDBResource(database=GIVEN["database"])
    )
    defs = dg.Definitions.merge(
        build_synthmix_defs(partitions_def=DAYS, **GIVEN["options"]),
        dg.Definitions(
            executor=machines, resources={{"lake": lake, "warehouse": warehouse}}
        ),
    )
    return defs.resolve_job_def("demo_job")
"""
)


class Postgres:
    """The tables on a server."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def fill(self, **tables: pd.DataFrame) -> None:
        import adbc_driver_postgresql.dbapi

        with (
            adbc_driver_postgresql.dbapi.connect(self.uri) as connection,
            connection.cursor() as cursor,
        ):
            for name, frame in tables.items():
                table = pa.Table.from_pandas(frame, preserve_index=False)
                cursor.adbc_ingest(name, table, mode="replace")
            connection.commit()

    def run(self, statement: str) -> list[Any]:
        import adbc_driver_postgresql.dbapi

        with (
            adbc_driver_postgresql.dbapi.connect(self.uri) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            found = list(cursor.fetchall()) if statement.startswith("select") else []
            connection.commit()
            return found


class DuckDb:
    """The tables in a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def fill(self, **tables: pd.DataFrame) -> None:
        import duckdb

        with duckdb.connect(self.path) as connection:
            for name, frame in tables.items():
                connection.register("given", frame)
                connection.execute(f"create table {name} as select * from given")

    def run(self, statement: str) -> list[Any]:
        import duckdb

        with duckdb.connect(self.path) as connection:
            return list(connection.execute(statement).fetchall())


@pytest.fixture(params=["postgres", "duckdb"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Postgres | DuckDb]:
    if request.param == "duckdb":
        yield DuckDb(str(tmp_path / "warehouse.duckdb"))
        return
    with postgres() as port:
        yield Postgres(f"postgresql://dagster@127.0.0.1:{port}/postgres")


def test_steps_share_the_store_and_ask_the_database_once(
    tmp_path: Path, database: Postgres | DuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, launcher = tmp_path / "home", tmp_path / "launcher"
    for folder in (home, launcher, tmp_path / "machines"):
        folder.mkdir()
    secrets = {"LAKE_KEY": KEY, "LAKE_SECRET": SECRET}
    if isinstance(database, Postgres):
        secrets["WAREHOUSE_URI"] = database.uri
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    days = ["monday", "tuesday"]
    database.fill(
        customers=pd.concat(rows(100, seed=n).assign(day=day) for n, day in enumerate(days)),
        generated=good(),
    )
    with s3_server() as endpoint:
        root = f"s3://{BUCKET}/mixes"
        given = {
            "endpoint": endpoint,
            "machines": str(tmp_path / "machines"),
            "log": str(tmp_path / "steps.log"),
            "environment": secrets,
            "kind": "postgres" if isinstance(database, Postgres) else "duckdb",
            "database": getattr(database, "path", ""),
            "options": {
                "name": "demo",
                "real": {
                    "query": "select x, y from customers where day = {partition_key}",
                    "connection": "warehouse",
                },
                "synthetic": {"table": "generated", "connection": "warehouse"},
                "output_root": root,
                "storage": "lake",
                "target": "y",
                "task": "regression",
                "threshold": 0.5,
                "flat_curve": "rows",
                "permutations": 9,
                "directions": 20,
                "publish": {"table": "churn_back", "connection": "warehouse"},
            },
        }
        (launcher / "given.json").write_text(json.dumps(given))
        project = PROJECT.format(given=str(launcher / "given.json"))

        def run(partition: str, *keys: str, executor: str = "machines") -> None:
            source = project.replace("executor=machines", f"executor={executor}")
            tag = f"dagster/partition={partition}"
            succeeded, said = execute(source, launcher, home, tag, *keys)
            assert succeeded, said[-4000:]

        def released(partition: str) -> int:
            where = f"{root}/demo/partitions/{partition}"
            release = verify_release(where, storage=access(endpoint))
            origins = {name: of.origin for name, of in release.details.inputs.items()}
            assert origins["real"]["parameters"] == [partition]
            return int(release.details.realised.rows)

        run("monday")
        assert len((tmp_path / "steps.log").read_text().splitlines()) == 6
        back = [("monday", released("monday"))]
        counted = "select partition_key, count(*) from churn_back group by 1 order by 1"
        assert database.run(counted) == back
        # The tables are gone once they were unloaded: whatever comes later reads the snapshot.
        run("tuesday", "demo/real", "demo/synthetic")
        database.run("drop table customers")
        database.run("drop table generated")
        rest = ("distribution_distance", "optimal_ratio", "training_data", "published_table")
        multiprocess = "dg.multiprocess_executor"
        run("tuesday", *(f"demo/{role}" for role in rest), executor=multiprocess)
        assert database.run(counted) == [*back, ("tuesday", released("tuesday"))]
        written = [file.name for file in open_store(root, access(endpoint)).files()]
        for day in days:
            for side in ("real", "synthetic"):
                place = f"demo/partitions/{day}/snapshots/demo/{side}/"
                stored = [name for name in written if name.startswith(place)]
                assert any(name.endswith("/manifest.json") for name in stored), written
        # Nothing was left on the machines or in the launcher's folders.
        assert list((tmp_path / "machines").iterdir()) == []
        assert not list(tmp_path.rglob("*.parquet"))
