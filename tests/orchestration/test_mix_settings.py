"""How a mix is set in Dagster: what is read, how it is mixed, what is kept."""

from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from scenario import good, rows, write_inputs

from synthmix_dagster import build_synthmix_defs, verify_release
from synthmix_dagster.errors import ConfigError


def run(options: dict[str, Any], instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    return job.execute_in_process(instance=instance, raise_on_error=False)


def partitioned(folder: Path) -> None:
    """Both sides as Hive-partitioned folders, with a column of another name and rows too many."""
    for name, frame in {"real": rows(100, seed=0), "synthetic": good()}.items():
        extra = frame.assign(kind="a", x=100.0)
        both = pd.concat([frame.assign(year=2024), extra.assign(year=2020)])
        both.rename(columns={"y": "label"}).assign(note="n").to_parquet(
            folder / name, partition_cols=["year"]
        )


def settings(folder: Path) -> dict[str, Any]:
    options = write_inputs(folder)
    for name in ("real", "synthetic"):
        options[name] = {
            "path": str(folder / name),
            "columns": ["x", "z", "kind", "label"],
            "rename": {"label": "y"},
            "filters": [["year", ">=", 2024]],
        }
    partitioned(folder)
    return options


@pytest.mark.slow
def test_what_is_filtered_out_takes_no_part_and_a_cap_is_said(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = settings(tmp_path) | {"max_rows": 150, "keep_releases": 1, "stratify": "kind"}
    for seed in (0, 1):
        result = run({**options, "seed": seed}, instance)
        assert result.success
    output = Path(options["output_root"]) / "demo"
    release = verify_release(output)
    assert [path.name for path in (output / "releases").iterdir()] == [release.release_id]
    realised = release.manifest["realised"]
    assert (realised["rows"], realised["real_rows"]) == (150, 100)
    assert release.to_pandas()["x"].max() < 100
    assert release.manifest["inputs"]["real"]["view"]["rename"] == {"label": "y"}
    (check,) = (c for c in result.get_asset_check_evaluations() if "mix" in c.check_name)
    assert check.passed
    assert "with a reason for fewer: 'max_rows' of 150" in (check.description or "")
    assert check.metadata["synthmix/duplicates"].value == 0


def test_weights_without_provenance(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    options = settings(tmp_path) | {
        "mode": "weights",
        "provenance": False,
        "max_ratio": 0.5,
        "flat_curve": "rows",
    }
    result = run(options, instance)
    assert result.success
    release = verify_release(Path(options["output_root"]) / "demo")
    frame = release.to_pandas()
    assert frame.columns.tolist() == ["x", "z", "kind", "y", "sample_weight"]
    assert len(frame) == 500
    recommended = release.manifest["evidence"]["optimal_ratio"]["ratio"]
    assert frame["sample_weight"].sum() == pytest.approx(100 + round(100 * recommended))


def test_another_filter_makes_a_stored_verdict_stale(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = settings(tmp_path)
    assert run(options, instance).success
    other = {**options, "real": {**options["real"], "filters": [["year", ">", 0]]}}
    job = build_synthmix_defs(**other).resolve_job_def("demo_job")
    key = dg.AssetKey(["demo", "training_data"])
    alone = job.execute_in_process(instance=instance, raise_on_error=False, asset_selection=[key])
    (event,) = alone.filter_events(lambda event: event.event_type_value == "STEP_FAILURE")
    failure = event.step_failure_data.user_failure_data
    assert failure is not None
    assert "changed since it was ingested" in (failure.description or "")


def test_an_output_that_is_no_store_is_refused_when_it_is_set(tmp_path: Path) -> None:
    options = write_inputs(tmp_path) | {"output_root": "ftp://host/mixes"}
    with pytest.raises(ConfigError, match=r"output_root.*ftp:.* is not a place to write to"):
        build_synthmix_defs(**options)
