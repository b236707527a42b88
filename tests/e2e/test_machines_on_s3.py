"""Every step on a machine of its own, with nothing in common but a real S3 server.

Inputs, records and releases lie there. Two of three partitions fail their gate, and what lies
downstream of the good one trains from its release.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from machines import EXECUTOR
from s3 import BUCKET, KEY, SECRET, access, s3_server
from scenario import bad, good, rows
from servers import execute

from synthmix_dagster import load_release, verify_release
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.errors import ReleaseError

pytestmark = [pytest.mark.slow, pytest.mark.server]

PROJECT = (
    EXECUTOR
    + """
from synthmix_dagster import SynthMixStorage, load_release

PARTITIONS = dg.StaticPartitionsDefinition(["good", "poor", "worse"])


@dg.asset(
    deps=[dg.AssetKey(["demo", "training_data"])],
    partitions_def=PARTITIONS,
    required_resource_keys={{"lake"}},
)
def model(context):
    from sklearn.linear_model import LinearRegression

    event = context.instance.get_latest_materialization_event(
        dg.AssetKey(["demo", "training_data"])
    )
    uri = event.asset_materialization.metadata["dagster/uri"].value
    frame = load_release(uri, storage=context.resources.lake.access()).to_pandas()
    fitted = LinearRegression().fit(frame[["x"]], frame["y"])
    return dg.MaterializeResult(
        metadata={{"rows": len(frame), "slope": float(fitted.coef_[0]), "uri": uri}}
    )


def job():
    lake = SynthMixStorage(
        endpoint=GIVEN["endpoint"],
        region="us-east-1",
        access_key_id=dg.EnvVar("LAKE_KEY"),
        secret_access_key=dg.EnvVar("LAKE_SECRET"),
    )
    defs = dg.Definitions.merge(
        build_synthmix_defs(partitions_def=PARTITIONS, **GIVEN["options"]),
        dg.Definitions(assets=[model], executor=machines, resources={{"lake": lake}}),
        dg.Definitions(jobs=[dg.define_asset_job("all_of_it", "*", partitions_def=PARTITIONS)]),
    )
    return defs.resolve_job_def("all_of_it")
"""
)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, str, Any]]:
    """A server with inputs, the settings of a mix on it, and what runs one of its partitions."""
    home, launcher = tmp_path / "home", tmp_path / "launcher"
    for folder in (home, launcher, tmp_path / "machines"):
        folder.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    secrets = {"LAKE_KEY": KEY, "LAKE_SECRET": SECRET}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    root = f"s3://{BUCKET}"
    with s3_server() as endpoint:
        store = open_store(root, access(endpoint))
        frames = {"real": rows(100, seed=0), "good": good(), "poor": bad(), "worse": bad(300)}
        for name, frame in frames.items():
            store.put(f"in/{name}.parquet", frame.to_parquet())
        options = {
            "name": "demo",
            "real": {"path": f"{root}/in/real.parquet", "storage": "lake"},
            "synthetic": {"path": f"{root}/in/{{partition_key}}.parquet", "storage": "lake"},
            "output_root": f"{root}/mixes",
            "storage": "lake",
            "target": "y",
            "task": "regression",
            "threshold": 0.5,
            "permutations": 9,
            "directions": 20,
        }
        given = {
            "options": options,
            "endpoint": endpoint,
            "machines": str(tmp_path / "machines"),
            "log": str(tmp_path / "steps.log"),
            "environment": secrets,
        }
        (launcher / "given.json").write_text(json.dumps(given))
        project = PROJECT.format(given=str(launcher / "given.json"))

        def run(partition: str, executor: str) -> tuple[bool, str]:
            source = project.replace("executor=machines", f"executor={executor}")
            return execute(source, launcher, home, f"dagster/partition={partition}")

        yield store, endpoint, run


def trained(home: Path) -> dict[str, Any]:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        (record,) = instance.fetch_materializations(dg.AssetKey("model"), limit=10).records
    assert record.asset_materialization is not None
    return {name: one.value for name, one in record.asset_materialization.metadata.items()}


def test_steps_share_nothing_but_the_store(tmp_path: Path, lake) -> None:
    store, endpoint, run = lake
    outcomes = {partition: run(partition, "machines") for partition in ("good", "poor", "worse")}
    assert [succeeded for succeeded, _ in outcomes.values()] == [True, False, False], outcomes
    mixes = f"s3://{BUCKET}/mixes/demo/partitions"
    release = verify_release(f"{mixes}/good", storage=access(endpoint))
    for partition in ("poor", "worse"):
        with pytest.raises(ReleaseError):
            load_release(f"{mixes}/{partition}", access(endpoint))
    written = {file.name for file in store.files()}
    assert "mixes/demo/partitions/poor/records/demo/distribution_distance.json" in written
    assert not list((tmp_path / "machines").iterdir())
    # Two gates were closed before anything was trained.
    log = (tmp_path / "steps.log").read_text()
    assert [line.split()[0] for line in log.splitlines()].count("model") == 1
    told = trained(tmp_path / "home")
    assert (told["rows"], told["uri"]) == (release.details.realised.rows, release.uri)


def test_the_multiprocess_executor_runs_on_a_store(tmp_path: Path, lake) -> None:
    _, endpoint, run = lake
    succeeded, said = run("good", "dg.multiprocess_executor")
    assert succeeded, said
    release = verify_release(f"s3://{BUCKET}/mixes/demo/partitions/good", storage=access(endpoint))
    told = trained(tmp_path / "home")
    assert (told["rows"], told["uri"]) == (release.details.realised.rows, release.uri)
