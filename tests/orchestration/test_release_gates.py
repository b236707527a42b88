"""What stops a release, whatever run it is in, and what may override it."""

import json
import os
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from mix_runs import check_of, failure, metadata_of, run
from scenario import bad, good, rows, write_inputs

from synthmix_dagster import build_synthmix_defs, verify_release

ROLES = ("real", "synthetic", "distribution_distance", "optimal_ratio", "training_data")


def test_a_warning_stops_nothing(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    options = write_inputs(tmp_path, synthetic=rows(400, seed=1, shift=0.6))
    result = run({**options, "threshold": 2.0, "warn_threshold": 0.1}, instance)
    assert result.success
    check = check_of(result)
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    assert "over the warning threshold 0.1, and within the threshold 2" in check.description


def test_a_threshold_may_follow_the_floor(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    options = {**write_inputs(tmp_path, synthetic=bad()), "threshold": "3 x floor"}
    result = run(options, instance)
    assert not result.success
    check = check_of(result)
    floor, limit = (check.metadata[f"synthmix/{name}"].value for name in ("floor", "threshold"))
    assert limit == pytest.approx(3 * floor)
    assert "(3 x floor)" in check.description
    assert run({**options, "threshold": "9 x floor"}, instance, *ROLES).success


def test_an_automatic_threshold_is_judged_after_the_ratio(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = {**write_inputs(tmp_path), "threshold": "auto"}
    result = run(options, instance)
    assert result.success
    check = check_of(result)
    assert check.asset_key == dg.AssetKey(["demo", "optimal_ratio"])
    critical = metadata_of(result, "optimal_ratio")["synthmix/critical_gap"]
    assert check.metadata["synthmix/threshold"].value == pytest.approx(critical)
    manifest = verify_release(tmp_path / "mixes" / "demo").manifest
    assert manifest["evidence"]["thresholds"]["wasserstein_gap"] == pytest.approx(critical)


@pytest.mark.slow
def test_it_may_take_an_end_of_the_interval(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    made = rows(400, seed=1, shift=1.5)
    options = {**write_inputs(tmp_path, synthetic=made), "threshold": 2.0}
    passed = run(options, instance)
    high = check_of(passed).metadata
    gap = high["synthmix/gap"].value
    closed = run({**options, "compare": "upper", "threshold": gap + 1e-6}, instance)
    assert not closed.success
    assert "The upper end of the interval of the gap" in check_of(closed).description
    assert run({**options, "compare": "lower", "threshold": gap + 1e-6}, instance).success
    # Without an interval nothing is known of its ends, and the gate stays closed.
    blind = run({**options, "compare": "upper", "permutations": 0}, instance)
    assert "no interval was measured" in check_of(blind).description
    assert not blind.success


@pytest.mark.parametrize(
    "acts",
    [
        {"severity": "WARN"},
        pytest.param({"blocking": False}, marks=pytest.mark.slow),
        pytest.param({"severity": "WARN", "blocking": False}, marks=pytest.mark.slow),
    ],
)
def test_a_gate_that_is_opened_stops_nothing_and_says_so(
    acts: dict[str, Any], tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = {**write_inputs(tmp_path, synthetic=bad()), "checks": {"wasserstein_gap": acts}}
    result = run(options, instance)
    assert result.success
    assert not check_of(result).passed
    manifest = verify_release(tmp_path / "mixes" / "demo").manifest
    assert not manifest["evidence"]["checks"]["wasserstein_gap"]["passed"]


def test_a_release_may_be_forced_with_a_reason_that_is_kept(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path, synthetic=bad())
    assert not run(options, instance).success
    ratio = run(options, instance, "optimal_ratio")
    assert ratio.success
    reason = "known shift of x; agreed with the risk team"
    ops = {"training_data": {"release_anyway": reason}}
    forced = run(options, instance, "training_data", ops=ops)
    assert forced.success
    assert metadata_of(forced, "training_data")["synthmix/run_release_anyway"] == reason
    evidence = verify_release(tmp_path / "mixes" / "demo").manifest["evidence"]
    assert evidence["overrides"] == {"release_anyway": reason}
    assert not evidence["checks"]["wasserstein_gap"]["passed"]
    logged = [entry.user_message for entry in instance.all_logs(forced.run_id)]
    assert any(
        f"Released although something forbade it. Reason given: '{reason}'" in entry
        for entry in logged
    )
    # The next run has no reason, and is refused again.
    assert "release refused" in failure(run(options, instance, "training_data"))


def test_a_run_may_set_its_own_threshold_ratio_seed_and_sample(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path, synthetic=rows(400, seed=1, shift=1.5))
    sample = {"sample_rows": 80, "seed": 7}
    result = run(
        {**options, "threshold": 0.1},
        instance,
        ops={
            "distribution_distance": {**sample, "threshold": 2.0},
            "optimal_ratio": sample,
            "training_data": {
                "threshold": 2.0,
                "ratio": 0.5,
                "seed": 3,
                "release_anyway": "a look at the shifted rows",
            },
        },
    )
    assert result.success
    measured = metadata_of(result, "distribution_distance")
    assert measured["synthmix/rows_real"] == 80
    assert measured["synthmix/seed"] == 7
    assert measured["synthmix/run_sample_rows"] == 80
    assert check_of(result).metadata["synthmix/run_threshold"].value == 2.0
    assert "0.5000, as requested" in check_of(result, "mix_as_recommended").description
    manifest = verify_release(tmp_path / "mixes" / "demo").manifest
    evidence = manifest["evidence"]
    reason = {"release_anyway": "a look at the shifted rows"}
    assert evidence["overrides"] == {"threshold": 2.0, "ratio": 0.5, "seed": 3, **reason}
    assert evidence["upstream_overrides"] == {
        "distribution_distance": sample,
        "optimal_ratio": sample,
    }
    assert manifest["mix"]["seed"] == 3
    assert manifest["realised"]["synthetic_rows"] == 50
    # What a run set is gone with it.
    assert "over the threshold 0.1" in failure(
        run({**options, "threshold": 0.1}, instance, "training_data")
    )


def test_a_run_may_set_the_threshold_of_the_labels(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    made = rows(400, seed=1, shuffled_target=True)
    options = {**write_inputs(tmp_path, synthetic=made), "threshold": 9.0}
    ops = {
        "distribution_distance": {"conditional_threshold": 9.0},
        "training_data": {"conditional_threshold": 9.0, "release_anyway": "labels are relearnt"},
    }
    assert run({**options, "conditional_threshold": 0.1}, instance, ops=ops).success
    refused = run({**options, "conditional_threshold": 0.1}, instance, "training_data")
    assert "the check 'conditional_gap' failed" in failure(refused)


@pytest.mark.parametrize(
    ("name", "said", "words"),
    [
        ("distribution_distance", {"sample_rows": 0}, "run config: sample_rows"),
        ("optimal_ratio", {"seed": -1}, "run config: seed"),
        ("training_data", {"ratio": -0.1}, "run config: ratio"),
        ("training_data", {"release_anyway": ""}, "run config: release_anyway"),
    ],
)
def test_a_wrong_value_of_a_run_is_named(
    name: str, said: dict[str, Any], words: str, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    result = run(write_inputs(tmp_path), instance, name, ops={name: said})
    assert not result.success
    assert words in failure(result)


def job_from_environment() -> dg.JobDefinition:
    """A job that other processes can make as well, which a re-execution asks for."""
    options = json.loads(Path(os.environ["SYNTHMIX_TEST_OPTIONS"]).read_text())
    return build_synthmix_defs(**options).resolve_job_def("demo_job")


def test_a_refusal_holds_when_the_run_is_executed_again_from_where_it_failed(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**write_inputs(tmp_path, synthetic=bad()), "op": {"retry": {"max_retries": 2}}}
    monkeypatch.setenv("SYNTHMIX_TEST_OPTIONS", str(tmp_path / "options.json"))
    (tmp_path / "options.json").write_text(json.dumps(options))
    job = dg.reconstructable(job_from_environment)
    execution = {"execution": {"config": {"in_process": {}}}}
    with dg.execute_job(
        job, instance=instance, raise_on_error=False, run_config=execution
    ) as failed:
        assert not failed.success
    again = dg.ReexecutionOptions.from_failure(failed.run_id, instance)
    with dg.execute_job(
        job,
        instance=instance,
        raise_on_error=False,
        run_config=execution,
        reexecution_options=again,
    ) as repeated:
        assert not repeated.success
    logged = instance.all_logs(repeated.run_id)
    kinds = {entry.dagster_event_type for entry in logged if entry.dagster_event_type}
    assert dg.DagsterEventType.STEP_UP_FOR_RETRY not in kinds
    assert dg.DagsterEventType.ASSET_CHECK_EVALUATION in kinds
    # Nor does it help to ask for what follows the gate alone.
    alone = run(options, instance, "optimal_ratio", "training_data")
    assert "release refused" in failure(alone)
    assert not alone.filter_events(lambda event: event.event_type_value == "STEP_UP_FOR_RETRY")
    assert not (tmp_path / "mixes" / "demo" / "latest").exists()


def test_a_flat_curve_is_released_only_where_somebody_said_what(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    made = rows(400, seed=1, shuffled_target=True)
    options = {**write_inputs(tmp_path, synthetic=made), "threshold": 5.0}
    rows(100, seed=0, shuffled_target=True).to_parquet(tmp_path / "real.parquet")
    refused = run(options, instance)
    assert not refused.success
    assert "the risk curve is flat, and 'flat_curve' does not say what" in failure(refused)
    # A ratio of this run says it too; nothing is measured again.
    assert run(options, instance, "training_data", ops={"training_data": {"ratio": 0.5}}).success
    assert verify_release(tmp_path / "mixes" / "demo").details.realised.ratio == 0.5
    assert run({**options, "flat_curve": "none"}, instance).success
    assert verify_release(tmp_path / "mixes" / "demo").details.realised.synthetic_rows == 0


def test_what_is_stated_about_columns_is_a_gate(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    contract = {"columns": {"kind": {"type": "text", "levels": ["a", "b"]}}}
    options = {**write_inputs(tmp_path), "contract": contract}
    result = run(options, instance)
    assert not result.success
    assert "'kind' (levels): 'c' is new" in check_of(result, "schema_matches").description
    # It stands before the distance, and holds in a run of its own.
    assert {event.asset_key.path[-1] for event in result.get_asset_materialization_events()} == {
        "real",
        "synthetic",
    }
    assert run(options, instance, "distribution_distance", "optimal_ratio").success
    assert "the check 'schema_matches' failed" in failure(run(options, instance, "training_data"))


def test_new_levels_that_nobody_ruled_out_are_a_warning(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    made = good().assign(kind=lambda frame: frame["kind"].replace("c", "d"))
    result = run({**write_inputs(tmp_path, synthetic=made), "threshold": 5.0}, instance)
    assert result.success
    check = check_of(result, "schema_matches")
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    # A new level, and one that is absent.
    assert check.metadata["synthmix/schema_violations"].value == 2


@pytest.mark.slow
def test_copies_of_the_real_rows_are_found(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    copies = rows(100, seed=0).sample(400, replace=True, random_state=0)
    options = {**write_inputs(tmp_path, synthetic=copies), "threshold": 5.0}
    result = run(options, instance)
    assert result.success
    check = check_of(result, "memorisation")
    assert not check.passed
    assert check.metadata["synthmix/exact_copies"].value == 400
    stopped = run(
        {**options, "checks": {"memorisation": {"severity": "ERROR", "blocking": True}}}, instance
    )
    assert not stopped.success
    alone = run(
        {**options, "checks": {"memorisation": {"severity": "ERROR", "blocking": True}}},
        instance,
        "training_data",
    )
    assert "the check 'memorisation' failed" in failure(alone)


def test_a_minimum_is_loosened_by_lowering_it_and_tightened_by_raising_it(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = {**write_inputs(tmp_path), "min_distinct_share": 0.5}
    assert run(options, instance).success
    tightened = run(
        options, instance, "training_data", ops={"training_data": {"min_distinct_share": 1.0}}
    )
    assert tightened.success
    loosened = run(
        options, instance, "training_data", ops={"training_data": {"min_distinct_share": 0.2}}
    )
    assert "sets 'min_distinct_share' to 0.2, below the configured 0.5" in failure(loosened)
