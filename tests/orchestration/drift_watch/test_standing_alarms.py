"""A standing alarm: nothing but a new version, a new baseline or a reason gets past it."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest
import scenario

from synthmix_dagster import build_drift_monitor, build_synthmix_defs, history
from synthmix_dagster.drift.history import Observation
from synthmix_dagster.orchestration.drift_watch.metadata import of_observations

KEY = dg.AssetKey(["demo", "distribution_distance"])
DRIFT = {"blocking": True, "reference": 1, "generator_version": "v1"}


def record(instance: dg.DagsterInstance, key: dg.AssetKey, **terms: str) -> None:
    """A history whose generator moves at its ninth batch, as the asset would have recorded it."""
    version = terms.get("generator_version", "v1")
    for day in range(1, 15):
        rng = np.random.default_rng(day)
        square = 0.1 * float(rng.normal()) + 10.0 * (day >= 9)
        seen = Observation(
            square,
            1000,
            f"rows {day} {version}",
            {"generator_version": version, **terms},
            blocks=tuple((square + rng.normal(size=8)).tolist()),
            columns={"x": square},
        )
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                key,
                partition=f"2026-11-{day:02d}",
                metadata=of_observations({"generator": seen}, version, []),
            )
        )


class Mix:
    """A mix over files, with a blocking monitor of drift."""

    def __init__(self, root: Path, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.options = {**scenario.write_inputs(root), "drift": dict(DRIFT)}

    def run(
        self, *roles: str, config: dict[str, Any] | None = None, **options: Any
    ) -> dg.ExecuteInProcessResult:
        drift = {**DRIFT, **options.pop("drift", {})}
        job = build_synthmix_defs(**{**self.options, **options, "drift": drift}).resolve_job_def(
            "demo_job"
        )
        chosen = [dg.AssetKey(["demo", role]) for role in roles]
        ops = {f"demo__{role}": {"config": one} for role, one in (config or {}).items()}
        return job.execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            asset_selection=chosen or None,
            run_config={"ops": ops} if ops else None,
        )


@pytest.fixture
def mix(tmp_path: Path, instance: dg.DagsterInstance) -> Mix:
    """Measured and released once; then its history shows that the generator moved."""
    mix = Mix(tmp_path, instance)
    assert mix.run().success
    record(instance, KEY)
    return mix


def check_of(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (one,) = (c for c in result.get_asset_check_evaluations() if c.check_name == "drift")
    return one


def refusal(result: dg.ExecuteInProcessResult) -> str:
    (event,) = result.filter_events(lambda one: one.event_type_value == "STEP_FAILURE")
    return str(event.step_failure_data.user_failure_data.description)


@pytest.mark.parametrize(
    "way",
    [
        {"config": {"distribution_distance": {"seed": 1}}},
        pytest.param(
            {"config": {"distribution_distance": {"sample_rows": 199}}}, marks=pytest.mark.slow
        ),
        pytest.param({"directions": 8}, marks=pytest.mark.slow),
        pytest.param({"ignore": ["z"]}, marks=pytest.mark.slow),
        pytest.param({"drift": {"history": 6}}, marks=pytest.mark.slow),
    ],
    ids=["seed", "sample_rows", "directions", "columns", "history"],
)
def test_no_other_terms_clear_an_alarm_for_check_and_release(mix: Mix, way: dict[str, Any]) -> None:
    config = way.pop("config", None)
    measured = mix.run("distribution_distance", "optimal_ratio", config=config, **way)
    said = check_of(measured)
    assert not said.passed
    assert said.severity is dg.AssetCheckSeverity.ERROR
    assert "2026-11-09" in str(said.description)
    assert "stands until you declare a new 'generator_version'" in str(said.description)
    if config is not None:
        # Such a measurement is refused for itself; so is the release after it was made good.
        assert "with options of its run" in refusal(mix.run("training_data", **way))
        mix.run("distribution_distance", "optimal_ratio", **way)
    words = refusal(mix.run("training_data", **way))
    assert "release refused, the check 'drift' failed" in words
    assert "2026-11-09" in words
    assert "'release_anyway'" in words


@pytest.mark.slow
def test_a_wiped_asset_clears_no_alarm_and_only_a_reason_releases(mix: Mix) -> None:
    assert "2026-11-09" in refusal(mix.run("training_data"))  # the release step saw it first
    mix.instance.wipe_assets([KEY])
    together = mix.run()  # check and release in one run: the blocking check stops it
    assert "stands since batch 2026-11-09" in str(check_of(together).description)
    released = dg.AssetKey(["demo", "training_data"])
    assert released not in {e.asset_key for e in together.get_asset_materialization_events()}
    words = refusal(mix.run("training_data"))
    assert "the alarm of generator stands since batch 2026-11-09" in words.lower()
    reason = {"training_data": {"release_anyway": "ticket 418"}}
    assert mix.run("training_data", config=reason).success


class Monitor:
    """A monitor alone, over partitions, whose history shows that the generator moved."""

    key = dg.AssetKey(["watch", "distribution_distance"])
    days = dg.StaticPartitionsDefinition([f"2026-11-{day:02d}" for day in range(1, 31)])

    def __init__(self, root: Path, instance: dg.DagsterInstance) -> None:
        self.root, self.instance, self.day = root, instance, 15

    def run(self, *, extra: bool = False, **options: Any) -> dg.AssetCheckEvaluation:
        @dg.asset(key="made", partitions_def=self.days)
        def made() -> Any:
            rows = scenario.table(256, self.day)[["x", "y"]]
            return rows.assign(harmless=rows["x"] * 0 + 1.0) if extra else rows

        settings = {
            "name": "watch",
            "synthetic": "made",
            "generator_version": "v1",
            "reference": 1,
            "directions": 4,
            "output_root": str(self.root),
        }
        defs = dg.Definitions.merge(
            build_drift_monitor(partitions_def=self.days, **{**settings, **options}),
            dg.Definitions(assets=[made]),
        )
        self.day += 1
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance, partition_key=f"2026-11-{self.day:02d}", raise_on_error=False
        )
        return check_of(result)


@pytest.fixture
def monitor(tmp_path: Path, instance: dg.DagsterInstance) -> Monitor:
    record(instance, Monitor.key)
    return Monitor(tmp_path, instance)


@pytest.mark.parametrize(
    "way",
    [{"seed": 1}, {"sample_rows": 99}, {"directions": 8}, {"extra": True}, {"delta": 1e-9}],
    ids=["seed", "sample_rows", "directions", "a column more", "delta"],
)
def test_no_other_terms_clear_an_alarm_of_a_monitor(monitor: Monitor, way: dict[str, Any]) -> None:
    for options in ({}, way):
        said = monitor.run(**options)
        assert said.severity is dg.AssetCheckSeverity.ERROR
        assert not said.passed
        assert "2026-11-09" in str(said.description)
        assert "No other setting clears it" in str(said.description)


def test_a_monitor_keeps_its_alarm_when_it_is_wiped_until_something_is_declared(
    monitor: Monitor,
) -> None:
    assert not monitor.run().passed
    monitor.instance.wipe_assets([Monitor.key])
    said = monitor.run()
    assert "The alarm of generator stands since batch 2026-11-09" in str(said.description)
    assert "columns: x (100%)" in str(said.description)
    assert monitor.run(generator_version="v2").passed
    assert monitor.run(baseline="winter").passed
    # Who goes back to what was declared before goes back to its alarm.
    assert not monitor.run().passed


def test_a_damaged_record_of_alarms_is_named_and_not_taken_for_none(monitor: Monitor) -> None:
    assert not monitor.run().passed
    (kept,) = monitor.root.rglob("drift_alarms.json")
    assert [one["series"] for one in json.loads(kept.read_text())["alarms"]] == ["generator"]
    # The same alarm is one entry of the history, however often it is seen.
    assert not monitor.run().passed
    (entry,) = history(monitor.root).entries
    assert entry.kind == "drift alarm"
    assert entry.reason.startswith("generator since 2026-11-09: ")
    kept.write_text("{}")
    said = monitor.run()
    assert not said.passed
    assert "drift alarms that stand cannot be read" in str(said.description)
