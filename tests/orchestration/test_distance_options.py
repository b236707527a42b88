"""How the distance is measured, set from YAML or Python, seen in a real Dagster run."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from scenario import MINIMAL, bad, good, rows, write_inputs

from synthmix_dagster import build_synthmix_defs
from synthmix_dagster.errors import ConfigError

MEASURED = "distribution_distance"


def metadata_of(options: dict[str, Any], instance: dg.DagsterInstance) -> dict[str, Any]:
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    upstream = [dg.AssetKey(["demo", role]) for role in ("real", "synthetic", MEASURED)]
    result = job.execute_in_process(instance=instance, asset_selection=upstream)
    (event,) = [
        event
        for event in result.get_asset_materialization_events()
        if event.asset_key.path[-1] == MEASURED
    ]
    return {
        key: [record.data for record in value.records]
        if isinstance(value, dg.TableMetadataValue)
        else value.value
        for key, value in event.materialization.metadata.items()
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"method": "exact"}, {"method": "exact"}),
        ({"p": 1, "scaling": "rank"}, {"order": 1, "scaling": "rank"}),
        ({"rows": "all", "sample_rows": 50}, {"rows": "all", "rows_synthetic": 400}),
        ({"weights": {"x": 0.5}, "scaling": "robust"}, {"scaling": "robust"}),
    ],
)
def test_an_option_reaches_the_measurement(
    options: dict[str, Any],
    expected: dict[str, Any],
    tmp_path: Path,
    instance: dg.DagsterInstance,
) -> None:
    found = metadata_of({**write_inputs(tmp_path), **options}, instance)
    for key, value in expected.items():
        assert found[f"synthmix/{key}"] == value


def test_target_gaps_directions_and_differences_are_shown(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    found = metadata_of(write_inputs(tmp_path), instance)
    for key in ("input_gap", "conditional_gap", "conditional_gap_low", "effect_size"):
        assert isinstance(found[f"synthmix/{key}"], float)
    assert len(found["synthmix/directions"]) == 3
    assert {"column", "statistic", "real", "synthetic"} <= found["synthmix/differences"][0].keys()
    assert found["synthmix/parts_of_gap"].startswith(
        "![Gap, and the contribution of every column](data:"
    )


def test_without_permutations_a_mix_is_gated_by_the_gap_alone(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    found = metadata_of({**write_inputs(tmp_path), "permutations": 0}, instance)
    assert "synthmix/p_value" not in found
    assert "synthmix/gap_low" not in found
    assert isinstance(found["synthmix/gap"], float)


def test_groups_are_kept_whole_and_left_out_of_distance_and_prediction(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    for name, frame in (("real", rows(100, seed=0)), ("synthetic", good())):
        days = np.arange(len(frame)) // 5
        frame.assign(day=pd.Series(days).map("day {}".format)).to_parquet(
            tmp_path / f"{name}.parquet"
        )
    found = metadata_of({**options, "groups": "day"}, instance)
    assert "day" not in {record["column"] for record in found["synthmix/columns"]}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"p": 3}, "option 'p': it is 3. Set it to 1 or 2"),
        ({"method": "slised"}, "option 'method'.*Did you mean 'sliced'"),
        ({"scaling": "minmax"}, "option 'scaling'.*Valid are: rank, robust, standard"),
        ({"rows": "every"}, "option 'rows'"),
        ({"weights": {"x": -1.0}}, "option 'weights': the weight of 'x' is -1.0"),
        ({"permutations": -1}, "option 'permutations': it is -1"),
        ({"memory_mb": 0}, "option 'memory_mb': it is 0"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_runs(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        build_synthmix_defs(**{**MINIMAL, **options})


@pytest.mark.parametrize(
    ("option", "value"), [("weights", {"zz": 2.0}), ("categorical", ["zz"]), ("groups", "zz")]
)
def test_an_unknown_column_fails_the_run_and_names_its_key(
    option: str, value: Any, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = {**write_inputs(tmp_path), option: value}
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    (failed,) = [e for e in result.all_events if e.is_step_failure]
    message = str(failed.step_failure_data.error)
    assert "distribution_distance" in failed.step_key
    assert f"option '{option}': column 'zz' is in neither dataset. Did you mean 'z'?" in message


@pytest.mark.parametrize(
    ("threshold", "released"), [(0.3, False), pytest.param(2.0, True, marks=pytest.mark.slow)]
)
def test_wrong_labels_stop_a_release_that_the_gap_lets_through(
    threshold: float, released: bool, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path, synthetic=rows(400, seed=1, shuffled_target=True))
    options |= {"threshold": 5.0, "conditional_threshold": threshold}
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    passed = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert passed["wasserstein_gap"]
    assert passed["conditional_gap"] is released
    # Asked for alone, in a run of its own, the training data judges again.
    again = job.execute_in_process(
        instance=instance,
        raise_on_error=False,
        asset_selection=[
            dg.AssetKey(["demo", role]) for role in ("optimal_ratio", "training_data")
        ],
    )
    assert again.success is released
    assert (tmp_path / "mixes" / "demo" / "latest").exists() is released


def swapped_kinds() -> pd.DataFrame:
    made = good()
    return made.assign(kind=made["kind"].map({"a": "b", "b": "a", "c": "c"}))


@pytest.mark.parametrize(
    ("check", "gate", "made"),
    [
        ("class_gap", {"class_threshold": 0.15}, swapped_kinds()),
        pytest.param(
            *("classifier_accuracy", {"classifier_threshold": 0.7}, bad()), marks=pytest.mark.slow
        ),
        pytest.param(
            *("distinct_rows", {"min_distinct_share": 0.5}, pd.concat([good(50)] * 8)),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_each_optional_gate_stops_a_release(
    check: str,
    gate: dict[str, float],
    made: pd.DataFrame,
    tmp_path: Path,
    instance: dg.DagsterInstance,
) -> None:
    options = write_inputs(tmp_path, synthetic=made)
    options |= {"threshold": 9.0, "target": "kind", "task": "classification", **gate}
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    passed = {found.check_name: found.passed for found in result.get_asset_check_evaluations()}
    assert passed["wasserstein_gap"]
    assert not passed[check]
    # Asked for alone, in a run of its own, the training data judges again.
    again = job.execute_in_process(
        instance=instance,
        raise_on_error=False,
        asset_selection=[
            dg.AssetKey(["demo", role]) for role in ("optimal_ratio", "training_data")
        ],
    )
    (failed,) = [event for event in again.all_events if event.is_step_failure]
    assert f"the check '{check}' failed" in str(failed.step_failure_data.error)
    assert not (tmp_path / "mixes" / "demo" / "latest").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("class_threshold", -1), ("classifier_threshold", 1.5), ("min_distinct_share", -0.1)],
)
def test_a_threshold_that_is_out_of_range_is_named(option: str, value: float) -> None:
    with pytest.raises(ConfigError, match=option):
        build_synthmix_defs(**MINIMAL, **{option: value})


def test_without_its_threshold_there_is_no_gate_of_the_labels(tmp_path: Path) -> None:
    defs = build_synthmix_defs(**write_inputs(tmp_path))
    names = {spec.name for item in defs.assets or () for spec in item.check_specs}
    assert "wasserstein_gap" in names
    assert "conditional_gap" not in names
