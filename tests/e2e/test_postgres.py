"""An instance on a real PostgreSQL server, as in production: gates and history live there."""

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from scenario import bad, rows, write_inputs
from servers import execute, postgres

from synthmix_dagster import build_synthmix_defs, drift_report, verify_release

pytestmark = [pytest.mark.server, pytest.mark.slow]

PROJECT = """
import json, pathlib
import dagster as dg
from synthmix_dagster import build_synthmix_defs

# A process for each step, without the time to import everything in each of them.
executor = dg.multiprocess_executor.configured(
    {{"max_concurrent": 2, "start_method": {{"forkserver": {{"preload_modules": [
        "synthmix_dagster.orchestration.component", "synthmix_dagster.verbs.core", "pandas",
        "sklearn", "scipy.stats",
    ]}}}}}}
)

def job():
    defs = dg.Definitions.merge(
        build_synthmix_defs(**json.loads(pathlib.Path({options!r}).read_text())),
        dg.Definitions(executor=executor),
    )
    return defs.resolve_job_def("demo_job")
"""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server of the test's own on a free port, which is gone afterwards."""
    with postgres() as free:
        yield free


@pytest.fixture
def home(tmp_path: Path, port: int) -> Path:
    """An instance with all of its storage on the server."""
    folder = tmp_path / "dagster_home"
    folder.mkdir()
    storage = {
        "postgres": {
            "postgres_db": {
                # The driver that comes with dagster-postgres; SQLAlchemy 2.1 would take another.
                "scheme": "postgresql+psycopg2",
                "username": "dagster",
                "password": "",
                "hostname": "127.0.0.1",
                "port": port,
                "db_name": "postgres",
            }
        }
    }
    # JSON is YAML.
    (folder / "dagster.yaml").write_text(
        json.dumps({"telemetry": {"enabled": False}, "storage": storage})
    )
    return folder


def test_a_gate_that_failed_holds_across_runs(tmp_path: Path, home: Path) -> None:
    options = write_inputs(tmp_path / "data") | {"permutations": 9}
    (tmp_path / "options.json").write_text(json.dumps(options))
    project = PROJECT.format(options=str(tmp_path / "options.json"))
    succeeded, said = execute(project, tmp_path, home)
    assert succeeded, said
    before = verify_release(tmp_path / "data" / "mixes" / "demo")
    bad().to_parquet(tmp_path / "data" / "synthetic.parquet")
    measured = ("demo/synthetic", "demo/distribution_distance", "demo/optimal_ratio")
    succeeded, said = execute(project, tmp_path, home, *measured)
    assert not succeeded
    assert "Asset check 'wasserstein_gap' on 'demo/distribution_distance' did not pass" in said
    succeeded, said = execute(project, tmp_path, home, "demo/training_data")
    assert not succeeded
    assert "release refused, the check 'wasserstein_gap' failed" in said
    assert verify_release(tmp_path / "data" / "mixes" / "demo").release_id == before.release_id
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert type(instance.event_log_storage).__name__ == "PostgresEventLogStorage"
        found = {
            role: instance.fetch_materializations(dg.AssetKey(["demo", role]), limit=10).records
            for role in ("distribution_distance", "optimal_ratio", "training_data")
        }
    assert [len(records) for records in found.values()] == [2, 1, 1]
    event = found["training_data"][0].asset_materialization
    assert event is not None
    assert event.metadata["synthmix/release_id"].value == before.release_id


def test_the_history_of_drift_is_read_back_from_the_server(tmp_path: Path, home: Path) -> None:
    options = write_inputs(tmp_path / "data") | {"name": "watched", "permutations": 9}
    options |= {"drift": {"history": 2, "reference": 1}}
    job = build_synthmix_defs(**options).resolve_job_def("watched_job")
    roles = ("real", "synthetic", "distribution_distance")
    keys = [dg.AssetKey(["watched", role]) for role in roles]
    for seed in range(1, 5):
        rows(400, seed=seed).to_parquet(tmp_path / "data" / "synthetic.parquet")
        # As if each batch came to another process: nothing is kept but on the server and on disk.
        with dg.DagsterInstance.from_config(str(home)) as instance:
            job.execute_in_process(instance=instance, asset_selection=keys)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        report = drift_report(instance, "watched/distribution_distance", history=2)
    (gap,) = (series for series in report.series if series.series == "gap")
    assert [point.counted for point in gap.points] == [True] * 4
    assert report.status == "quiet"
