"""Partitions of every kind: each with records and releases of its own."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from scenario import bad, good, rows, write_inputs

from synthmix_dagster import SynthMixError, build_synthmix_defs, verify_release
from synthmix_dagster.orchestration.assets import Mix
from synthmix_dagster.orchestration.config.base import validated
from synthmix_dagster.orchestration.paths import MixPaths

KEYS = ["a", "b", "c"]
START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
RELEASE = dg.AssetKey(["demo", "training_data"])


def options_of(folder: Path, bad_ones: tuple[str, ...] = ("b",), **more: Any) -> dict[str, Any]:
    for key in KEYS:
        place = folder / "made" / key
        place.mkdir(parents=True)
        (bad(200) if key in bad_ones else good(200)).to_parquet(place / "rows.parquet")
    options = write_inputs(folder)
    return {
        **options,
        "synthetic": {"path": str(folder / "made" / "{partition_key}")},
        "partitions_def": {"type": "static", "partition_keys": KEYS},
        "permutations": 9,
        **more,
    }


def released(options: dict[str, Any]) -> dict[str, str]:
    folder = Path(options["output_root"]) / "demo" / "partitions"
    return {
        place.name: verify_release(place).release_id
        for place in sorted(folder.iterdir())
        if (place / "latest").exists()
    }


@pytest.mark.slow
def test_every_partition_has_a_gate_and_releases_of_its_own(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = options_of(tmp_path)
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    succeeded = {
        key: job.execute_in_process(
            instance=instance, partition_key=key, raise_on_error=False
        ).success
        for key in KEYS
    }
    assert succeeded == {"a": True, "b": False, "c": True}
    assert released(options).keys() == {"a", "c"}
    assert instance.get_materialized_partitions(RELEASE) == {"a", "c"}
    # The verdict holds in a run of its own, and for this partition alone.
    alone = {
        key: job.execute_in_process(
            instance=instance, partition_key=key, raise_on_error=False, asset_selection=[RELEASE]
        ).success
        for key in ("a", "b")
    }
    assert alone == {"a": True, "b": False}


def test_a_backfill_in_one_run_releases_the_good_partitions_and_fails_for_the_others(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = options_of(tmp_path, op={"backfill_policy": {"type": "single_run"}})
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    result = job.execute_in_process(
        instance=instance, tags={START: "a", END: "c"}, raise_on_error=False
    )
    assert not result.success
    assert released(options).keys() == {"a", "c"}
    assert instance.get_materialized_partitions(RELEASE) == {"a", "c"}
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    gate = checks["wasserstein_gap"]
    assert not gate.passed
    # An error would have stopped the good ones as well.
    assert gate.severity is dg.AssetCheckSeverity.WARN
    assert "1 of 3 partitions fail. b: The gap of" in (gate.description or "")
    failures = result.filter_events(lambda event: event.event_type_value == "STEP_FAILURE")
    data = failures[0].step_failure_data.user_failure_data
    assert "1 of 3 partitions failed:\n- b: mix 'demo': release refused" in data.description
    # Every partition has metadata of its own.
    gaps = {
        event.partition: event.materialization.metadata["synthmix/gap"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key.path[-1] == "distribution_distance"
    }
    assert gaps.keys() == set(KEYS)
    assert gaps["b"] > 1 > gaps["a"]


@pytest.mark.slow
def test_a_backfill_in_one_run_stops_where_every_partition_fails(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = options_of(
        tmp_path, bad_ones=("a", "b", "c"), op={"backfill_policy": {"type": "single_run"}}
    )
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    result = job.execute_in_process(
        instance=instance, tags={START: "a", END: "c"}, raise_on_error=False
    )
    done = {event.asset_key.path[-1] for event in result.get_asset_materialization_events()}
    assert done == {"real", "synthetic", "distribution_distance"}


@pytest.mark.slow
def test_assets_of_somebody_else_arrive_partition_by_partition(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    two = dg.StaticPartitionsDefinition(["a", "b"])

    @dg.asset(partitions_def=two)
    def made(context: dg.AssetExecutionContext) -> Any:
        return bad(200) if context.partition_key == "b" else good(200)

    @dg.asset
    def labelled() -> Any:
        return rows(100, seed=0)

    options = {
        **options_of(tmp_path),
        "real": {"asset": "labelled"},
        "synthetic": {"asset": "made"},
        "partitions_def": two,
    }
    defs = dg.Definitions.merge(
        build_synthmix_defs(**options), dg.Definitions(assets=[made, labelled])
    )
    dg.materialize([labelled], instance=instance)
    for key in ("a", "b"):
        dg.materialize([made], instance=instance, partition_key=key)
    for key in ("a", "b"):
        defs.resolve_job_def("demo_job").execute_in_process(
            instance=instance, partition_key=key, raise_on_error=False
        )
    assert released(options).keys() == {"a"}


def test_all_partitions_of_a_dataset_together_are_one(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
    def made(context: dg.AssetExecutionContext) -> Any:
        return rows(150, seed=1 + (context.partition_key == "b"))

    options = {**write_inputs(tmp_path), "synthetic": {"asset": "made"}, "permutations": 9}
    defs = dg.Definitions.merge(build_synthmix_defs(**options), dg.Definitions(assets=[made]))
    for key in ("a", "b"):
        dg.materialize([made], instance=instance, partition_key=key)
    result = defs.resolve_job_def("demo_job").execute_in_process(instance=instance)
    assert result.success
    assert (
        verify_release(tmp_path / "mixes" / "demo").manifest["inputs"]["synthetic"]["rows"] == 300
    )


def test_a_mapping_says_which_partitions_belong_together(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    days = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-04")

    @dg.asset(partitions_def=days)
    def made(context: dg.AssetExecutionContext) -> Any:
        return bad(200) if context.partition_key == "2026-01-02" else good(200)

    mapping = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
    options = {
        **options_of(tmp_path),
        "synthetic": {"asset": "made", "partition_mapping": mapping},
        "partitions_def": days,
    }
    defs = dg.Definitions.merge(build_synthmix_defs(**options), dg.Definitions(assets=[made]))
    for key in days.get_partition_keys():
        dg.materialize([made], instance=instance, partition_key=key)
    for key in ("2026-01-02", "2026-01-03"):
        defs.resolve_job_def("demo_job").execute_in_process(
            instance=instance, partition_key=key, raise_on_error=False
        )
    # The third is made of the second's rows, the second of the first's.
    assert released(options).keys() == {"2026-01-02"}


@pytest.mark.parametrize("key", ["..", "a/b", "x%2f", "*", "é"])
def test_no_key_of_a_partition_leads_out_of_its_folder(key: str, tmp_path: Path) -> None:
    named = validated(
        Mix,
        {**write_inputs(tmp_path), "partitions_def": {"type": "dynamic", "name": "versions"}},
        "mix",
    )
    folder = MixPaths.of(named.at(key)).output
    assert Path(folder.uri).parent == tmp_path / "mixes" / "demo" / "partitions"
    assert folder.name not in (".", "..")
    folders = {
        MixPaths.of(named.at(other)).output for other in ("..", "a/b", "x%2f", "x/", "*", "é")
    }
    assert len(folders) == 6


@pytest.mark.parametrize("key", ["..", "a/b", "*", "[a]"])
def test_no_key_of_a_partition_leads_a_path_elsewhere(key: str, tmp_path: Path) -> None:
    options = {**write_inputs(tmp_path), "real": {"path": str(tmp_path / "{partition_key}")}}
    options["partitions_def"] = {"type": "dynamic", "name": "versions"}
    with pytest.raises(SynthMixError, match="cannot be part of a path"):
        validated(Mix, options, "mix").at(key)


def test_a_filter_may_name_the_partition(tmp_path: Path) -> None:
    filters = [["day", "==", "{partition_key}"]]
    options = {**write_inputs(tmp_path), "real": {"path": "r.parquet", "filters": filters}}
    options["partitions_def"] = {"type": "daily", "start_date": "2026-01-01"}
    named = validated(Mix, options, "mix")
    assert named.at("2026-01-01").real.filters == [["day", "==", "2026-01-01"]]
    assert named.real.filters == filters


@pytest.mark.parametrize(
    ("said", "kind", "first"),
    [
        ({"type": "daily", "start_date": "2026-01-01"}, dg.DailyPartitionsDefinition, "2026-01-01"),
        (
            {"type": "hourly", "start_date": "2026-01-01-00:00"},
            dg.HourlyPartitionsDefinition,
            "2026-01-01-00:00",
        ),
        (
            {"type": "weekly", "start_date": "2026-01-04"},
            dg.WeeklyPartitionsDefinition,
            "2026-01-04",
        ),
        (
            {"type": "monthly", "start_date": "2026-01-01"},
            dg.MonthlyPartitionsDefinition,
            "2026-01-01",
        ),
        (
            {
                "type": "time_window",
                "start_date": "2026-01",
                "fmt": "%Y-%m",
                "cron_schedule": "0 0 1 1,7 *",
            },
            dg.TimeWindowPartitionsDefinition,
            "2026-01",
        ),
        ({"type": "static", "partition_keys": KEYS}, dg.StaticPartitionsDefinition, "a"),
        ({"type": "dynamic", "name": "versions"}, dg.DynamicPartitionsDefinition, None),
    ],
)
def test_every_kind_of_partitions_is_that_of_dagster(
    said: dict[str, Any], kind: type, first: str | None, tmp_path: Path
) -> None:
    options = {**write_inputs(tmp_path), "partitions_def": said}
    named = validated(Mix, options, "mix")
    assert isinstance(named.partitions_def, kind)
    if first is not None:
        assert named.partitions_def.get_first_partition_key() == first
    graph = build_synthmix_defs(**options).resolve_asset_graph()
    assert all(
        graph.get(key).partitions_def == named.partitions_def for key in graph.get_all_asset_keys()
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"type": "dayly", "start_date": "2026-01-01"}, "Did you mean 'daily'"),
        ({"type": "daily"}, "require 'start_date'"),
        ({"type": "static", "start_date": "2026-01-01"}, "require 'partition_keys'"),
        ({"type": "dynamic", "name": "v", "fmt": "%Y"}, "do not have 'fmt'"),
    ],
)
def test_wrong_partitions_are_named(said: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(SynthMixError, match=words):
        build_synthmix_defs(**{**write_inputs(tmp_path), "partitions_def": said})


def ticks(options: dict[str, Any], when: str, instance: dg.DagsterInstance) -> list[str]:
    defs = build_synthmix_defs(**options)
    schedule = defs.resolve_schedule_def("demo_job_schedule")
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime.fromisoformat(when).replace(tzinfo=timezone.utc),
        repository_def=defs.get_repository_def(),
    )
    data = schedule.evaluate_tick(context)
    return [str(request.partition_key) for request in data.run_requests or ()]


def test_a_schedule_runs_the_partitions_that_are_due(
    tmp_path: Path, instance_on_disk: dg.DagsterInstance
) -> None:
    instance = instance_on_disk
    options = write_inputs(tmp_path)
    daily = {"partitions_def": {"type": "daily", "start_date": "2026-01-01"}}
    own, at_six = {"schedule": {}}, {"schedule": {"cron": "0 6 * * *"}}
    assert ticks({**options, **daily, **own}, "2026-01-05T00:00", instance) == ["2026-01-04"]
    assert ticks({**options, **daily, **at_six}, "2026-01-05T06:00", instance) == ["2026-01-04"]
    assert ticks({**options, **daily, **at_six}, "2026-01-01T06:00", instance) == []
    static = {"partitions_def": {"type": "static", "partition_keys": KEYS}}
    assert ticks({**options, **static, **at_six}, "2026-01-05T06:00", instance) == KEYS
    dynamic = {"partitions_def": {"type": "dynamic", "name": "versions"}}
    assert ticks({**options, **dynamic, **at_six}, "2026-01-05T06:00", instance) == []
    instance.add_dynamic_partitions("versions", ["v1", "v2"])
    assert ticks({**options, **dynamic, **at_six}, "2026-01-05T06:00", instance) == ["v1", "v2"]


def test_what_a_schedule_lacks_is_named(tmp_path: Path) -> None:
    options = write_inputs(tmp_path)
    with pytest.raises(SynthMixError, match="requires 'cron'"):
        build_synthmix_defs(**options, schedule={})
    with pytest.raises(SynthMixError, match="'timezone' requires 'cron'"):
        build_synthmix_defs(
            **options,
            schedule={"timezone": "UTC"},
            partitions_def={"type": "daily", "start_date": "2026-01-01"},
        )


def test_a_schedule_may_run_from_the_start(tmp_path: Path) -> None:
    schedule = {"cron": "0 6 * * *", "timezone": "Europe/Paris", "default_status": "RUNNING"}
    defs = build_synthmix_defs(**write_inputs(tmp_path), schedule=schedule)
    found = defs.resolve_schedule_def("demo_job_schedule")
    assert found.default_status is dg.DefaultScheduleStatus.RUNNING
    assert found.execution_timezone == "Europe/Paris"
