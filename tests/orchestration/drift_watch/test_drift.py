"""Drift seen through a real Dagster instance: the mix, the monitor alone, and every odd history."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import scenario

from synthmix_dagster import (
    DriftReport,
    SynthMixError,
    build_drift_monitor,
    build_synthmix_defs,
    drift_report,
)
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.drift.history import Observation
from synthmix_dagster.orchestration.config.drift import DriftConfig
from synthmix_dagster.orchestration.drift_watch.check import Watch
from synthmix_dagster.orchestration.drift_watch.kept_alarms import KeptAlarms
from synthmix_dagster.orchestration.drift_watch.metadata import of_observations
from synthmix_dagster.orchestration.records import Records

KEY = dg.AssetKey(["watch", "distribution_distance"])
DAYS = dg.StaticPartitionsDefinition([f"2026-11-{day:02d}" for day in range(1, 31)])


def frame(seed: int, *, shift: float = 0.0, n: int = 256) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"x": rng.normal(shift, 1, n), "z": rng.normal(0, 1, n)})


class Monitor:
    """A monitor of one dataset over partitions, whose rows a test decides."""

    def __init__(self, root: Path, instance: dg.DagsterInstance, **options: Any) -> None:
        self.root, self.instance = root, instance
        self.options = {
            "name": "watch",
            "synthetic": "made",
            "generator_version": "v1",
            "history": 2,
            "reference": 1,
            "directions": 4,
            "output_root": str(root / "monitors"),
            **options,
        }
        self.metadata: dict[str, Any] = {}
        self.success = False

    def run(self, day: int, rows: pd.DataFrame, **options: Any) -> dg.AssetCheckEvaluation:
        @dg.asset(key="made", partitions_def=DAYS)
        def made() -> pd.DataFrame:
            return rows

        defs = dg.Definitions.merge(
            build_drift_monitor(partitions_def=DAYS, **{**self.options, **options}),
            dg.Definitions(assets=[made]),
        )
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance, partition_key=f"2026-11-{day:02d}", raise_on_error=False
        )
        self.success = result.success
        (evaluation,) = result.get_asset_check_evaluations()
        (event,) = (
            found for found in result.get_asset_materialization_events() if found.asset_key == KEY
        )
        self.metadata = {k: v.value for k, v in event.materialization.metadata.items()}
        return evaluation

    @property
    def references(self) -> list[Path]:
        folder = self.root / "monitors" / "watch" / "references" / "watch" / "synthetic"
        return sorted(path.parent for path in folder.glob("*/reference.json"))


@pytest.fixture
def monitor(tmp_path: Path, instance: dg.DagsterInstance) -> Monitor:
    return Monitor(tmp_path, instance)


def record(
    instance: dg.DagsterInstance,
    days: Iterable[int],
    *,
    moved_from: int = 99,
    version: str = "v1",
    terms: dict[str, str] | None = None,
    by: float = 10.0,
    key: dg.AssetKey = KEY,
    **options: Any,
) -> None:
    """Batches as the asset would have recorded them, in the order they arrive."""
    for day in days:
        rng = np.random.default_rng(day)
        square = 0.1 * float(rng.normal()) + by * (day >= moved_from)
        seen = Observation(
            square,
            1000,
            options.get("fingerprint", f"rows {day} {version}"),
            {"generator_version": version} if terms is None else terms,
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


def judged(instance: dg.DagsterInstance) -> DriftReport:
    return drift_report(instance, "watch/distribution_distance", units={"generator": "block"})


def labels(report: DriftReport) -> list[str]:
    return [point.label[-2:] for point in report.series[0].points if point.counted]


@pytest.mark.slow
@pytest.mark.draws
def test_a_changed_generator_is_named_with_its_day_and_column(monitor: Monitor) -> None:
    said = [monitor.run(day, frame(day)) for day in (1, 2, 3, 4)]
    assert [one.passed for one in said] == [True] * 4
    assert "history of generator is short: 0 comparable batches" in str(said[0].description)
    assert "Nothing moved: generator over 3 batches" in str(said[-1].description)
    assert isinstance(monitor.metadata["synthmix/generator_drift"], float)
    assert monitor.metadata["synthmix/generator_version"] == "v1"
    # Three batches do not say what is ordinary: the first ones could be days that jumped.
    for day in range(7, 17):
        alarm = monitor.run(day, frame(day, shift=2))
        if not alarm.passed:
            break
    assert alarm.severity is dg.AssetCheckSeverity.ERROR
    assert not alarm.passed
    words = str(alarm.description)
    assert "The generator moved away from its reference since batch 2026-11-07" in words
    assert "columns: x (" in words
    assert "at most 0.01" in words
    assert alarm.metadata["synthmix/generator_log_capital"].value > np.log(100)
    assert "data:image/png;base64," in alarm.metadata["synthmix/drift_plot"].value
    assert monitor.success  # an alarm stops a run only if it is asked to


def test_a_new_version_and_a_new_schema_begin_a_new_reference_and_say_so(
    monitor: Monitor,
) -> None:
    monitor.run(1, frame(1))
    monitor.run(2, frame(2))
    (first,) = monitor.references
    stored = {path.name: path.read_bytes() for path in first.iterdir()}
    said = monitor.run(3, frame(3, shift=5), generator_version="v2")
    assert said.passed
    assert len(monitor.references) == 2
    notes = monitor.metadata["synthmix/drift_notes"]
    assert "the reference of synthetic was begun anew: generator_version changed" in notes
    assert "generator_version 'v1' to 'v2'" in str(said.metadata["synthmix/drift_notes"].value)
    monitor.run(4, frame(4).assign(w="a"), generator_version="v2")
    assert "begun anew: schema changed" in str(monitor.metadata["synthmix/drift_notes"])
    assert len(monitor.references) == 3
    # What was there is kept as it was, and found again by who goes back to it.
    assert {path.name: path.read_bytes() for path in first.iterdir()} == stored
    monitor.run(5, frame(5))
    assert monitor.metadata["synthmix/generator_drift"] < 0.5


def test_a_batch_that_cannot_be_measured_warns_and_the_pipeline_goes_on(monitor: Monitor) -> None:
    for day in (1, 2):
        monitor.run(day, frame(day))
    for rows, why in (
        (frame(3).iloc[:0], "it has no rows"),
        (frame(3).assign(x=np.inf), "infinite"),
    ):
        said = monitor.run(3, rows)
        assert monitor.success
        assert not said.passed
        assert said.severity is dg.AssetCheckSeverity.WARN
        assert "The latest batch of generator cannot be judged" in str(said.description)
        assert why in str(said.description)
    # Materialising it again replaces it.
    assert monitor.run(3, frame(3)).passed


def test_a_damaged_reference_warns_and_the_pipeline_goes_on(monitor: Monitor) -> None:
    monitor.run(1, frame(1))
    next(monitor.references[0].glob("*.parquet")).write_bytes(b"nothing")
    said = monitor.run(2, frame(2))
    assert monitor.success
    assert said.severity is dg.AssetCheckSeverity.WARN
    assert "was altered" in str(said.description)


def test_late_repeated_and_out_of_order_partitions_are_put_in_order(
    instance: dg.DagsterInstance,
) -> None:
    record(instance, [1, 2, 3, 9, 8, 4, 5, 4, 7, 6, 10, 1], moved_from=8)
    report = judged(instance)
    assert labels(report) == [f"{day:02d}" for day in range(1, 11)]
    assert report.status == "alarm"
    assert report.series[0].change is not None
    assert report.series[0].change.since == "2026-11-08"
    # A partition that is materialised again, mended, replaces what it was.
    record(instance, [8, 9, 10], version="v1")
    assert judged(instance).status == "quiet"


def test_a_backfill_in_reverse_is_the_same_history(instance: dg.DagsterInstance) -> None:
    record(instance, range(1, 11), moved_from=8)
    forward = judged(instance)
    record(instance, range(10, 0, -1), moved_from=8)
    assert judged(instance) == forward


def test_an_alarm_waits_for_a_batch_in_order_while_others_come_late(
    instance: dg.DagsterInstance,
) -> None:
    record(instance, range(10, 0, -1), moved_from=6)
    waiting = judged(instance)
    assert waiting.status == "watch"
    assert "batches came late, after later ones: perhaps the generator moved" in waiting.sentence
    record(instance, [11], moved_from=6)
    assert judged(instance).status == "alarm"
    # Whatever comes late then, or again, the alarm stands.
    record(instance, [0, 3], moved_from=6)
    assert judged(instance).status == "alarm"


def test_a_gap_in_the_history_is_no_event(instance: dg.DagsterInstance) -> None:
    record(instance, [1, 2, 3, 4, 5, 6, 20, 21, 22])
    assert judged(instance).status == "quiet"


def test_other_terms_and_repeated_rows_are_left_out_with_a_note(
    instance: dg.DagsterInstance,
) -> None:
    record(instance, range(1, 8), moved_from=0)
    record(instance, range(8, 16), version="v2")
    record(instance, [16, 17], version="v2", fingerprint="rows 9 v2")
    report = judged(instance)
    assert report.status == "quiet"
    assert labels(report) == [f"{day:02d}" for day in range(8, 16)]
    first, second = report.series[0].notes
    assert first.startswith("7 batches (2026-11-01 to 2026-11-07) measured on other terms")
    assert second.startswith("2 batches (2026-11-16 to 2026-11-17) with the same rows")


def test_partitions_have_the_order_of_their_definition(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    record(instance, range(1, 6))
    kept = KeptAlarms(lambda: Records(open_store(tmp_path), "watch"))
    backwards = dg.StaticPartitionsDefinition(DAYS.get_partition_keys()[::-1])
    found = Watch(KEY, DriftConfig(), {"generator": "batch"}, kept, partitions_def=backwards).judge(
        instance
    )
    assert labels(found) == ["05", "04", "03", "02", "01"]


def test_a_record_that_cannot_be_read_is_left_out_with_a_note(
    instance: dg.DagsterInstance,
) -> None:
    record(instance, [1, 2])
    for entry in ({"version": "v1"}, {"version": "v1", "series": {"generator": {"rows": 1}}}):
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                KEY,
                partition="2026-11-03",
                metadata={"synthmix/drift": dg.JsonMetadataValue(entry)},
            )
        )
    instance.report_runless_asset_event(dg.AssetMaterialization(KEY, partition="2026-11-04"))
    report = judged(instance)
    assert labels(report) == ["01", "02"]
    assert report.notes == ("2 recorded batches are unreadable and left out",)


def test_an_ephemeral_instance_passes_with_that_reason(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        said = Monitor(tmp_path, instance).run(1, frame(1))
    assert said.passed
    assert "ephemeral and keeps no history" in str(said.description)


def test_a_history_that_cannot_be_read_at_all_is_a_warning(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise OSError("the database is gone")

    monkeypatch.setattr("synthmix_dagster.orchestration.drift_watch.history.read_history", broken)
    said = monitor.run(1, frame(1))
    assert monitor.success
    assert said.severity is dg.AssetCheckSeverity.WARN
    assert "Drift cannot be judged: OSError: the database is gone" in str(said.description)


def test_two_assets_are_watched_without_partitions_and_rejected_batches_stay_out_of_references(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    given: dict[str, pd.DataFrame] = {}

    @dg.asset(key=["warehouse", "rows"])
    def rows() -> pd.DataFrame:
        return given["real"]

    @dg.asset
    def generated() -> pd.DataFrame:
        return given["synthetic"]

    defs = dg.Definitions.merge(
        build_drift_monitor(
            name="watch",
            real="warehouse/rows",
            synthetic=generated,
            threshold=1.0,
            reference=1,
            directions=4,
            output_root=str(tmp_path),
        ),
        dg.Definitions(assets=[rows, generated]),
    )
    job = defs.resolve_implicit_global_asset_job_def()
    kept = []
    for day, shift in ((1, 3.0), (2, 0.0), (3, 0.0)):
        given |= {"real": frame(day), "synthetic": frame(100 + day, shift=shift)}
        result = job.execute_in_process(instance=instance)
        (event,) = (
            found for found in result.get_asset_materialization_events() if found.asset_key == KEY
        )
        found = {k: v.value for k, v in event.materialization.metadata.items()}
        kept.append(len(list((tmp_path / "watch" / "references").rglob("*.parquet"))))
    # The first batch was rejected: both references were made of the second.
    assert kept == [0, 2, 2]
    reference = pq.read_table(
        next((tmp_path / "watch" / "references" / "watch" / "synthetic").rglob("*.parquet"))
    )
    assert abs(float(np.mean(reference["x"].to_numpy()))) < 0.5
    assert {"synthmix/gap", "synthmix/generator_drift", "synthmix/reality_drift"} <= found.keys()
    assert found["synthmix/method"] == "sliced"
    assert found["synthmix/seed"] == 0
    assert found["synthmix/rows_real"] == 256
    assert set(found["synthmix/drift"]["series"]) == {"gap", "generator", "reality"}
    assert len(found["synthmix/drift"]["series"]["generator"]["blocks"]) == 12


def test_a_dataset_in_files_is_watched_against_its_own_past(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    defs = build_drift_monitor(
        name="watch",
        real={"path": str(tmp_path / "rows.parquet")},
        reference=1,
        directions=4,
        output_root=str(tmp_path / "monitors"),
    )
    job = defs.resolve_implicit_global_asset_job_def()
    for day in (1, 2):
        frame(day).to_parquet(tmp_path / "rows.parquet")
        result = job.execute_in_process(instance=instance)
    (check,) = result.get_asset_check_evaluations()
    assert "The history of reality is short: 1 comparable batch," in str(check.description)


def test_a_monitor_of_partitioned_files_reads_those_of_its_partition(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = {
        "name": "watch",
        "real": {"path": str(tmp_path / "{partition_key}.parquet")},
        "reference": 1,
        "directions": 4,
        "output_root": str(tmp_path / "monitors"),
    }
    with pytest.raises(SynthMixError, match=r"unknown placeholder '\{partition_key\}'"):
        build_drift_monitor(**options)
    defs = build_drift_monitor(**options, partitions_def=DAYS)
    job = defs.resolve_implicit_global_asset_job_def()
    days = DAYS.get_partition_keys()[:2]
    for number, day in enumerate(days):
        frame(number).to_parquet(tmp_path / f"{day}.parquet")
    results = [job.execute_in_process(instance=instance, partition_key=day) for day in days]
    (check,) = results[-1].get_asset_check_evaluations()
    assert "The history of reality is short: 1 comparable batch," in str(check.description)


def test_an_alarm_stops_a_release_in_any_run_if_it_is_blocking(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = scenario.write_inputs(tmp_path)
    options["drift"] = {"blocking": True, "reference": 1, "generator_version": "v1"}
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    first = job.execute_in_process(instance=instance)
    (drift,) = (c for c in first.get_asset_check_evaluations() if c.check_name == "drift")
    assert drift.passed
    assert drift.blocking
    assert "The history of gap is short: 1 comparable batch," in str(drift.description)
    released = (tmp_path / "mixes" / "demo" / "latest").resolve()
    record(instance, range(1, 13), moved_from=9, key=dg.AssetKey(["demo", KEY.path[-1]]))
    # The training data judges the history again, in a run of its own.
    later = job.execute_in_process(
        instance=instance,
        raise_on_error=False,
        asset_selection=[dg.AssetKey(["demo", "training_data"])],
    )
    (event,) = later.filter_events(lambda one: one.event_type_value == "STEP_FAILURE")
    reason = event.step_failure_data.user_failure_data.description
    assert "release refused, the check 'drift' failed. The generator moved" in reason
    assert "since batch 2026-11-09" in reason
    assert (tmp_path / "mixes" / "demo" / "latest").resolve() == released


@pytest.mark.parametrize("blocking", [True, False])
def test_a_drift_check_blocks_only_if_asked(blocking: bool, tmp_path: Path) -> None:
    options = {**scenario.write_inputs(tmp_path), "drift": {"blocking": blocking}}
    specs = [
        spec
        for item in build_synthmix_defs(**options).assets or ()
        for spec in item.check_specs
        if spec.name == "drift"
    ]
    assert [spec.blocking for spec in specs] == [blocking]


def test_without_the_option_a_mix_records_and_checks_no_drift(tmp_path: Path) -> None:
    defs = build_synthmix_defs(**scenario.write_inputs(tmp_path))
    names = {spec.name for item in defs.assets or () for spec in item.check_specs}
    assert "drift" not in names


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"delta": 0.0}, "delta': it is 0.0. Set it to a number between 0 and 1"),
        ({"delta": float("nan")}, "delta': it is nan"),
        ({"unit": "blok"}, "Did you mean 'block'"),
        ({"history": 1}, "history': it is 1. Set it to 2 or more"),
        ({"reference": 0}, "reference': it is 0. Set it to 1 or more"),
        ({"season": 0.5}, "a length of 0.5 is not a season. Set it to batches such as 7"),
        ({"season": [7, 0]}, "a length of 0 is not a season"),
        ({"generator_versoin": "v1"}, "Did you mean 'generator_version'"),
    ],
)
def test_a_wrong_option_is_named_with_its_remedy_in_a_mix_and_alone(
    options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(SynthMixError) as alone:
        build_drift_monitor(name="watch", real="rows", output_root=str(tmp_path), **options)
    assert words in str(alone.value)
    with pytest.raises(SynthMixError) as in_a_mix:
        build_synthmix_defs(**scenario.write_inputs(tmp_path), drift=options)
    assert words.removeprefix("option '") in str(in_a_mix.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "no dataset to monitor. Set 'real', 'synthetic' or both"),
        ({"real": "rows", "threshold": 0.5}, "'threshold' limits the gap"),
        ({"real": "rows", "name": "a b"}, "not a valid identifier"),
        ({"real": "rows", "output": "../out"}, "outside 'output_root'"),
        ({"real": "rows", "weights": {"x": 0}}, "the weight of 'x' is 0"),
        ({"real": "rows", "sample_rows": 0}, "Set it to 10 or more"),
    ],
)
def test_a_wrong_monitor_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(SynthMixError, match=words):
        build_drift_monitor(**{"name": "watch", "output_root": "out", **options})
