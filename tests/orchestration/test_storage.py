"""A mix whose output and inputs lie in object stores, each reached in its own way."""

import uuid
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from s3 import BUCKET, KEY, SECRET, access, s3_server
from scenario import write_inputs

from synthmix_dagster import SynthMixStorage, build_synthmix_defs, load_release, verify_release
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.errors import ConfigError

KEY_PARTS = (KEY, SECRET, "planted")


def run(options, instance, **resources):
    defs = build_synthmix_defs(**options)
    return dg.materialize(
        [*(defs.assets or ()), *(defs.asset_checks or ())],
        instance=instance,
        resources={**(defs.resources or {}), **resources},
        raise_on_error=False,
    )


def said(result):
    failures = result.filter_events(lambda event: event.event_type_value == "STEP_FAILURE")
    return "\n".join(str(event.step_failure_data) for event in failures)


def test_everything_below_the_output_goes_through_its_store(tmp_path: Path, instance) -> None:
    root = f"memory://{uuid.uuid4().hex}/mixes"
    options = write_inputs(tmp_path) | {
        "output_root": root,
        "drift": {"history": 2, "reference": 1},
    }
    result = run(options, instance)
    assert result.success, said(result)
    release = verify_release(f"{root}/demo")
    written = {file.name for file in open_store(f"{root}/demo").files()}
    assert "records/demo/distribution_distance.json" in written
    assert len([name for name in written if name.startswith("references/demo/synthetic/")]) == 2
    (materialised,) = result.asset_materializations_for_node("demo__training_data")
    assert materialised.metadata["dagster/uri"].value == release.uri
    assert load_release(materialised.metadata["dagster/uri"].value) == release
    # Nothing was written to the disk by the way.
    assert {path.name for path in tmp_path.glob("*.*")} == {"real.parquet", "synthetic.parquet"}
    assert not list(tmp_path.rglob("releases"))


def test_a_storage_without_a_path_and_another_resource_are_refused(
    tmp_path: Path, instance
) -> None:
    options = write_inputs(tmp_path)
    with pytest.raises(ConfigError, match="'storage' goes with 'path'"):
        build_synthmix_defs(**{**options, "real": {"asset": "a/b", "storage": "lake"}})
    result = run(
        options | {"storage": "lake", "output_root": "memory://x/y"}, instance, lake="text"
    )
    # The I/O manager of the mix needs it before any step does.
    failed = [event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"]
    assert "the resource 'lake' is a str" in failed[0].job_failure_data.error.to_string()


def test_what_is_downstream_loads_the_release_by_the_storage_of_its_mix(tmp_path: Path) -> None:
    options = write_inputs(tmp_path) | {"permutations": 0, "directions": 5}
    options |= {"output_root": f"memory://{uuid.uuid4().hex}/mixes", "storage": "lake"}

    @dg.asset(ins={"rows": dg.AssetIn(["demo", "training_data"])})
    def model(rows: pd.DataFrame) -> int:
        return len(rows)

    defs = build_synthmix_defs(**options)
    assert list(defs.resources or ()) == ["synthmix_io_manager__lake"]
    result = dg.materialize(
        [*(defs.assets or ()), model],
        resources={**(defs.resources or {}), "lake": SynthMixStorage()},
    )
    release = load_release(f"{options['output_root']}/demo")
    assert result.output_for_node("model") == release.details.realised.rows


@pytest.mark.server
def test_no_secret_is_told_and_each_place_is_reached_by_its_own_resource(
    tmp_path: Path, instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKE_KEY", KEY)
    monkeypatch.setenv("LAKE_SECRET", SECRET)
    options = write_inputs(tmp_path)
    with s3_server() as endpoint:
        inputs = open_store(f"s3://{BUCKET}/in", access(endpoint))
        for side in ("real", "synthetic"):
            inputs.put(f"{side}/rows.parquet", (tmp_path / f"{side}.parquet").read_bytes())
            options[side] = {"path": f"s3://{BUCKET}/in/{side}/*.parquet", "storage": "theirs"}
        host = endpoint.removeprefix("http://")
        planted = f"s3://{BUCKET}/mixes?scheme=http&endpoint_override={host}&token=planted-in-a-uri"
        lake = SynthMixStorage(
            region="us-east-1",
            access_key_id=dg.EnvVar("LAKE_KEY"),
            secret_access_key=dg.EnvVar("LAKE_SECRET"),
        )
        theirs = SynthMixStorage(
            endpoint=endpoint,
            region="us-east-1",
            access_key_id="planted-other-key",
            secret_access_key=dg.EnvVar("LAKE_SECRET"),
        )
        given = options | {"output_root": planted, "storage": "lake"}
        result = run(given, instance, lake=lake, theirs=theirs)
        assert result.success, said(result)
        release = verify_release(f"s3://{BUCKET}/mixes/demo", storage=access(endpoint))
        objects = open_store(f"s3://{BUCKET}", access(endpoint))
        stored = {file.name: objects.read(file.name) for file in objects.files()}
    # The server is gone: the next run fails, with a named error.
    quick = {"retry_seconds": 0.1, "timeout_seconds": 0.5, "region": "us-east-1"}
    failing = SynthMixStorage(
        access_key_id=KEY, secret_access_key=dg.EnvVar("LAKE_SECRET"), **quick
    )
    failed = run(
        given, instance, lake=failing, theirs=theirs.model_copy(update={"retry_seconds": 0.1})
    )
    assert not failed.success
    logs = [entry.to_json() for one in (result, failed) for entry in instance.all_logs(one.run_id)]
    shown = "\n".join([*logs, said(failed), repr(release), release.release_id, release.uri])
    for secret in KEY_PARTS:
        assert secret not in shown
        assert not [name for name, content in stored.items() if secret.encode() in content]
