"""What an expert expects of assets and checks, beside what they compute."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from scenario import bad, good, rows, write_inputs

from synthmix_dagster import build_synthmix_defs, verify_release


def test_columns_of_a_release_know_where_they_came_from(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    @dg.asset(key_prefix="warehouse")
    def labelled() -> Any:
        return rows(100, seed=0).rename(columns={"y": "label"})

    options = write_inputs(tmp_path)
    options["real"] = {"asset": "warehouse/labelled", "rename": {"label": "y"}}
    defs = dg.Definitions.merge(build_synthmix_defs(**options), dg.Definitions(assets=[labelled]))
    assert dg.materialize([labelled], instance=instance).success
    result = defs.resolve_job_def("demo_job").execute_in_process(instance=instance)
    (release,) = [
        event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key.path[-1] == "training_data"
    ]
    lineage = release["dagster/column_lineage"].value.deps_by_column
    real, made = dg.AssetKey(["warehouse", "labelled"]), dg.AssetKey(["demo", "synthetic"])
    assert set(lineage["y"]) == {dg.TableColumnDep(real, "label"), dg.TableColumnDep(made, "y")}
    assert list(lineage["synthmix_source"]) == []
    columns = [column.name for column in release["dagster/column_schema"].value.columns]
    assert lineage.keys() == set(columns)


def test_ingested_files_say_where_they_lie(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    defs = build_synthmix_defs(**write_inputs(tmp_path))
    (result,) = list(
        defs.resolve_assets_def(dg.AssetKey(["demo", "real"]))(dg.build_asset_context())
    )
    assert result.metadata["dagster/uri"] == str(tmp_path / "real.parquet")
    assert result.metadata["dagster/row_count"] == 100


def test_a_check_can_be_run_alone(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    options = write_inputs(tmp_path, synthetic=rows(400, seed=1, shift=1.5))
    assert (
        build_synthmix_defs(**{**options, "threshold": 9.0})
        .resolve_job_def("demo_job")
        .execute_in_process(instance=instance)
        .success
    )
    key = dg.AssetKey(["demo", "distribution_distance"])
    check = dg.AssetCheckKey(key, "wasserstein_gap")
    for threshold, passes in ((9.0, True), (0.1, False)):
        defs = build_synthmix_defs(**{**options, "threshold": threshold})
        job = dg.define_asset_job("alone", selection=dg.AssetSelection.checks(check))
        defs = dg.Definitions.merge(defs, dg.Definitions(jobs=[job]))
        result = defs.resolve_job_def("alone").execute_in_process(
            instance=instance, raise_on_error=False
        )
        assert not result.get_asset_materialization_events()
        (found,) = result.get_asset_check_evaluations()
        assert found.passed == passes


def test_assets_can_be_called_directly(tmp_path: Path) -> None:
    defs = build_synthmix_defs(**write_inputs(tmp_path))
    for role in ("real", "synthetic", "distribution_distance", "optimal_ratio", "training_data"):
        asset = defs.resolve_assets_def(dg.AssetKey(["demo", role]))
        result, *checks = list(asset(dg.build_asset_context()))
        assert isinstance(result, dg.MaterializeResult)
        assert [check.check_name for check in checks] == [spec.name for spec in asset.check_specs]
        assert all(check.passed for check in checks if check.severity.value == "ERROR")
    assert result.metadata["synthmix/ratio_realised"] > 0
    assert verify_release(tmp_path / "mixes" / "demo").release_id == result.data_version.value


def test_frames_are_handed_to_assets_that_are_called_directly(tmp_path: Path) -> None:
    options = {**write_inputs(tmp_path), "real": {"asset": "a"}, "synthetic": {"asset": "b"}}
    stubs = dg.Definitions(assets=[dg.AssetSpec("a"), dg.AssetSpec("b")])
    asset = dg.Definitions.merge(build_synthmix_defs(**options), stubs).resolve_assets_def(
        dg.AssetKey(["demo", "distribution_distance"])
    )
    context = dg.build_asset_context(asset_config={"seed": 5})
    result, gate, schema = list(asset(context, real=rows(100, seed=0), synthetic=good()))
    assert result.metadata["synthmix/seed"] == 5
    assert (gate.check_name, gate.passed) == ("wasserstein_gap", True)
    assert (schema.check_name, schema.passed) == ("schema_matches", True)


@pytest.mark.slow
def test_unchanged_inputs_are_seen_as_unchanged(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    job = build_synthmix_defs(**write_inputs(tmp_path)).resolve_job_def("demo_job")

    def versions() -> dict[str, str]:
        result = job.execute_in_process(instance=instance)
        return {
            event.asset_key.path[-1]: event.materialization.tags["dagster/data_version"]
            for event in result.get_asset_materialization_events()
        }

    first = versions()
    assert versions() == first
    good(500).to_parquet(tmp_path / "synthetic.parquet")
    changed = versions()
    assert {role for role in first if first[role] != changed[role]} == {
        "synthetic",
        "distribution_distance",
        "optimal_ratio",
        "training_data",
    }


def test_no_row_gets_into_the_event_log(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    secret = "Ada Lovelace, 10 December 1815"
    real = rows(100, seed=0).assign(note=secret)
    options = write_inputs(tmp_path, synthetic=good().assign(note="nobody"))
    real.to_parquet(tmp_path / "real.parquet")
    job = build_synthmix_defs(**{**options, "ignore": ["note"]}).resolve_job_def("demo_job")
    result = job.execute_in_process(instance=instance)
    assert result.success
    log = " ".join(entry.to_json() for entry in instance.all_logs(result.run_id))
    assert "Ada Lovelace" not in log
    assert len(log) < 1_000_000


def test_the_last_release_survives_whatever_fails(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    assert job.execute_in_process(instance=instance).success
    before = verify_release(tmp_path / "mixes" / "demo").release_id
    for broken in (bad(), good().drop(columns="x"), good().iloc[:0]):
        broken.to_parquet(tmp_path / "synthetic.parquet")
        assert not job.execute_in_process(instance=instance, raise_on_error=False).success
        assert verify_release(tmp_path / "mixes" / "demo").release_id == before
