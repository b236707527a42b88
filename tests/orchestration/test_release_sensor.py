"""The sensor sees every new release once, and none that failed its checks."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from scenario import bad, good, write_inputs

from synthmix_dagster import (
    NewRelease,
    SynthMixError,
    build_release_sensor,
    build_synthmix_defs,
    verify_release,
)

KEY = "demo/training_data"


@dg.op
def fit() -> None:
    """Trains a model, say."""


@dg.job
def train() -> None:
    fit()


def tick(sensor: dg.SensorDefinition, instance: dg.DagsterInstance, cursor: str | None) -> Any:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    return sensor.evaluate_tick(context)


def run(options: dict[str, Any], instance: dg.DagsterInstance, **more: Any) -> bool:
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    return job.execute_in_process(instance=instance, raise_on_error=False, **more).success


@pytest.mark.slow
def test_each_new_release_asks_for_one_run(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    options = {**write_inputs(tmp_path), "permutations": 9}
    sensor = build_release_sensor(KEY, job=train)
    empty = tick(sensor, instance, None)
    assert not empty.run_requests
    assert run(options, instance)
    first = tick(sensor, instance, empty.cursor)
    (request,) = first.run_requests
    release = verify_release(tmp_path / "mixes" / "demo")
    assert request.tags["synthmix/release_id"] == release.release_id
    assert request.tags["synthmix/release_uri"] == str(release.path)
    # Nothing new, the same files again, and a run that failed: none of them is a release.
    assert not tick(sensor, instance, first.cursor).run_requests
    assert run(options, instance)
    same = tick(sensor, instance, first.cursor)
    assert not same.run_requests
    bad().to_parquet(tmp_path / "synthetic.parquet")
    assert not run(options, instance)
    failed = tick(sensor, instance, same.cursor)
    assert not failed.run_requests
    good(500).to_parquet(tmp_path / "synthetic.parquet")
    assert run(options, instance)
    assert len(tick(sensor, instance, failed.cursor).run_requests) == 1
    # A sensor that is new to a mix begins with its newest release.
    assert len(tick(sensor, instance, None).run_requests) == 1


def test_a_callback_may_decide(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    options = {
        **write_inputs(tmp_path),
        "permutations": 9,
        "partitions_def": {"type": "static", "partition_keys": ["a", "b"]},
    }
    seen: list[NewRelease] = []

    def decide(context: dg.SensorEvaluationContext, release: NewRelease) -> Any:
        seen.append(release)
        return dg.RunRequest(run_key=release.partition) if release.partition == "b" else None

    sensor = build_release_sensor(
        dg.AssetKey(["demo", "training_data"]), job=train, on_release=decide
    )
    cursor = tick(sensor, instance, None).cursor
    for key in ("a", "b"):
        assert run(options, instance, partition_key=key)
    result = tick(sensor, instance, cursor)
    # The same rows give the same release, but each partition has its own.
    assert [release.partition for release in seen] == ["a", "b"]
    assert [request.run_key for request in result.run_requests] == ["b"]
    assert seen[0].metadata["synthmix/ratio_realised"] > 0


def test_a_release_whose_recount_failed_is_none(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    sensor = build_release_sensor(KEY, job=train)
    cursor = tick(sensor, instance, None).cursor

    # Somebody's materialisation that no check looked at.
    @dg.asset(key=["demo", "training_data"])
    def training_data() -> dg.MaterializeResult[Any]:
        return dg.MaterializeResult(metadata={"synthmix/release_id": "x", "dagster/uri": "x"})

    assert dg.materialize([training_data], instance=instance).success
    assert not tick(sensor, instance, cursor).run_requests
    # Nor is one that was reported by hand, without a run.
    by_hand = {"synthmix/release_id": "y", "dagster/uri": "y"}
    instance.report_runless_asset_event(
        dg.AssetMaterialization(training_data.key, metadata=by_hand)
    )
    assert not tick(sensor, instance, cursor).run_requests


def test_it_needs_to_know_what_to_do() -> None:
    with pytest.raises(SynthMixError, match="Set at least one of them"):
        build_release_sensor(KEY)


@pytest.mark.slow
def test_a_callback_may_be_all_there_is(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    said: list[str] = []
    sensor = build_release_sensor(
        KEY, on_release=lambda context, release: said.append(release.release_id)
    )
    cursor = tick(sensor, instance, None).cursor
    assert run({**write_inputs(tmp_path), "permutations": 9}, instance)
    assert not tick(sensor, instance, cursor).run_requests
    assert said == [verify_release(tmp_path / "mixes" / "demo").release_id]


def test_it_is_stopped_until_somebody_starts_it() -> None:
    sensor = build_release_sensor(KEY, job=train)
    assert sensor.name == "demo__training_data_released"
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
