"""Golden runs of one mix through a real Dagster instance."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scenario import bad, good, rows, write_inputs

from synthmix_dagster import build_synthmix_defs, history, verify_release


def run(
    options: dict[str, Any], instance: dg.DagsterInstance, *selection: str
) -> dg.ExecuteInProcessResult:
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    keys = [dg.AssetKey(["demo", role]) for role in selection]
    return job.execute_in_process(
        instance=instance, raise_on_error=False, asset_selection=keys or None
    )


def materialised(result: dg.ExecuteInProcessResult) -> list[str]:
    return sorted(event.asset_key.path[-1] for event in result.get_asset_materialization_events())


def failure(result: dg.ExecuteInProcessResult) -> str:
    events = result.filter_events(lambda event: event.event_type_value == "STEP_FAILURE")
    data = events[0].step_failure_data.user_failure_data
    assert data is not None
    assert data.description is not None
    return data.description


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


def latest(options: dict[str, Any]) -> Path:
    return Path(options["output_root"]) / "demo"


class Golden(NamedTuple):
    """A mix of good rows that ran once."""

    options: dict[str, Any]
    result: dg.ExecuteInProcessResult


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory, module_instance: dg.DagsterInstance) -> Golden:
    options = write_inputs(tmp_path_factory.mktemp("golden"))
    return Golden(options, run(options, module_instance))


def test_a_whole_mix_ends_in_a_verified_release(golden: Golden) -> None:
    options, result = golden
    assert result.success
    assert materialised(result) == [
        "distribution_distance",
        "optimal_ratio",
        "real",
        "synthetic",
        "training_data",
    ]
    assert checks(result).keys() == {
        "wasserstein_gap",
        "schema_matches",
        "memorisation",
        "recommendation_usable",
        "mix_as_recommended",
    }
    assert checks(result)["wasserstein_gap"]
    assert checks(result)["mix_as_recommended"]
    release = verify_release(latest(options))
    recommended = release.manifest["evidence"]["optimal_ratio"]["ratio"]
    assert release.manifest["realised"]["synthetic_rows"] == round(100 * recommended)
    frame = pq.read_table(release.path / "data").to_pandas()
    assert (frame["synthmix_source"] == "real").sum() == 100


def test_every_asset_answers_its_question_in_words_first(golden: Golden) -> None:
    first = {
        event.asset_key.path[-1]: next(iter(event.materialization.metadata.items()))
        for event in golden.result.get_asset_materialization_events()
    }
    assert {key for key, _ in first.values()} == {"synthmix/summary"}
    said = {role: str(value.value) for role, (_, value) in first.items()}
    assert said["real"] == "100 rows, 4 columns."
    assert "within the threshold 0.5. Largest contribution: " in said["distribution_distance"]
    assert said["optimal_ratio"].startswith("Add ")
    assert "synthetic rows for each real one. The predicted error is" in said["optimal_ratio"]
    realised = verify_release(latest(golden.options)).details.realised
    assert said["training_data"].startswith(f"{realised.rows:,} rows: 100 real, ")
    assert said["training_data"].endswith("All gates passed.")
    evaluations = golden.result.get_asset_check_evaluations()
    words = {str(evaluation.description).split(".")[0] for evaluation in evaluations}
    assert words <= {"Passed", "Warning"}
    assert "Passed" in words


@pytest.mark.draws
def test_the_same_inputs_and_seed_give_the_same_release_and_the_same_bytes(
    golden: Golden, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = golden.options
    elsewhere = {**options, "output_root": str(tmp_path / "elsewhere")}
    assert golden.result.success
    assert run(elsewhere, instance).success
    first, second = verify_release(latest(options)), verify_release(latest(elsewhere))
    assert first.release_id == second.release_id
    files = [sorted(p for p in r.path.rglob("*") if p.is_file()) for r in (first, second)]
    assert [p.relative_to(first.path) for p in files[0]] == [
        p.relative_to(second.path) for p in files[1]
    ]
    assert [p.read_bytes() for p in files[0]] == [p.read_bytes() for p in files[1]]


def test_a_gap_over_the_threshold_fails_the_run_and_releases_nothing(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path, synthetic=bad())
    result = run(options, instance)
    assert not result.success
    assert checks(result) == {"schema_matches": True, "wasserstein_gap": False}
    assert "training_data" not in materialised(result)
    assert not (latest(options) / "latest").exists()


def test_training_data_alone_refuses_after_a_failed_gate_and_keeps_the_last_release(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    assert run(options, instance).success
    before = verify_release(latest(options))
    bad().to_parquet(tmp_path / "synthetic.parquet")
    assert not run(options, instance).success
    alone = run(options, instance, "training_data")
    assert not alone.success
    reason = failure(alone)
    assert "mix 'demo': release refused" in reason
    assert "wasserstein_gap" in reason
    # One refusal a run: by the check that stopped the first, by `training_data` in the second.
    released, *refused = history(latest(options)).entries
    assert (released.kind, released.release_id) == ("released", before.release_id)
    assert [(entry.kind, entry.threshold) for entry in refused] == [("refused", 0.5)] * 2
    assert all(entry.gap is not None and entry.gap > 2 for entry in refused)
    assert refused[0].reason.startswith("the check 'wasserstein_gap' failed. The gap of ")
    assert refused[1].reason.startswith("mix 'demo': release refused")
    assert "over the threshold 0.5" in reason
    after = verify_release(latest(options))
    assert after.release_id == before.release_id


def test_a_refusal_is_not_retried(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    options = write_inputs(tmp_path, synthetic=bad())
    run(options, instance)
    alone = run(options, instance, "training_data")
    events = alone.filter_events(lambda event: event.event_type_value == "STEP_FAILURE")
    assert events[0].step_failure_data.user_failure_data.label == "intentional-failure"
    assert not alone.filter_events(lambda event: event.event_type_value == "STEP_UP_FOR_RETRY")


def test_a_lower_threshold_refuses_what_was_measured_under_a_higher_one(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path, synthetic=rows(400, seed=1, shift=0.6))
    assert run({**options, "threshold": 2.0}, instance).success
    alone = run({**options, "threshold": 0.1}, instance, "training_data")
    assert "over the threshold 0.1" in failure(alone)


@pytest.mark.slow
def test_training_data_refuses_a_verdict_on_other_rows(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    assert run(options, instance).success
    bad().to_parquet(tmp_path / "synthetic.parquet")
    alone = run(options, instance, "training_data")
    assert "the synthetic dataset" in failure(alone)
    assert "changed since it was ingested" in failure(alone)
    ingested = run(options, instance, "synthetic", "training_data")
    assert "'distribution_distance' was computed from different rows" in failure(ingested)


def test_training_data_refuses_a_verdict_under_other_settings(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    assert run(options, instance).success
    alone = run({**options, "ignore": ["z"]}, instance, "training_data")
    assert "'distribution_distance' was computed with different settings" in failure(alone)


def test_training_data_refuses_without_any_verdict(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    result = run(options, instance, "real", "synthetic", "training_data")
    assert "'distribution_distance' was never materialised" in failure(result)


def test_existing_assets_are_read_through_their_own_io_manager(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    @dg.asset(key=["warehouse", "real"])
    def real() -> pd.DataFrame:
        return rows(100, seed=0)

    @dg.asset(key=["warehouse", "generated"])
    def generated() -> pd.DataFrame:
        return good()

    options = write_inputs(tmp_path)
    options |= {"real": {"asset": "warehouse/real"}, "synthetic": {"asset": "warehouse/generated"}}
    defs = dg.Definitions.merge(
        build_synthmix_defs(**options), dg.Definitions(assets=[real, generated])
    )
    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance)
    assert result.success
    assert materialised(result) == [
        "distribution_distance",
        "generated",
        "optimal_ratio",
        "real",
        "training_data",
    ]
    release = verify_release(latest(options))
    assert release.manifest["inputs"]["real"]["rows"] == 100


def test_metadata_is_one_plain_scalar_a_metric(golden: Golden) -> None:
    by_role = {
        event.asset_key.path[-1]: event.materialization.metadata
        for event in golden.result.get_asset_materialization_events()
    }
    for role, keys in {
        "distribution_distance": ["gap", "floor", "p_value", "threshold"],
        "optimal_ratio": ["ratio", "ratio_low", "ratio_high", "risk_none", "risk_recommended"],
        "training_data": ["ratio_requested", "ratio_realised"],
    }.items():
        for key in keys:
            assert isinstance(by_role[role][f"synthmix/{key}"].value, float), key
    assert by_role["real"]["dagster/row_count"].value == 100
    assert "data:image/png;base64," in by_role["optimal_ratio"]["synthmix/risk_curve"].value
    fields = [
        column.name for column in by_role["training_data"]["dagster/column_schema"].value.columns
    ]
    added = ["synthmix_source", "synthmix_generator", "synthmix_row_id"]
    assert fields == ["x", "z", "kind", "y", *added]


def test_a_release_altered_on_disk_fails_the_recount(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    assert run(options, instance).success
    shard = next((latest(options) / "latest" / "data").iterdir())
    table = pq.read_table(shard)
    pq.write_table(table.slice(1), shard)
    job = build_synthmix_defs(**options).resolve_job_def("demo_job")
    key = dg.AssetCheckKey(dg.AssetKey(["demo", "training_data"]), "mix_as_recommended")
    subset = job.get_subset(asset_selection=set(), asset_check_selection={key})
    result = subset.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert "was altered after it was written" in str(check.description)
    assert materialised(result) == []


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda folder: (folder / "real.parquet").unlink(), "there is no file or folder"),
        (lambda folder: rows(0, 0).to_parquet(folder / "real.parquet"), "it has no rows"),
        (lambda folder: rows(1, 0).to_parquet(folder / "real.parquet"), "it has 1 row"),
        (
            lambda folder: rows(50, 0).drop(columns="y").to_parquet(folder / "real.parquet"),
            "no target column 'y'",
        ),
        (
            lambda folder: rows(50, 0).assign(y=1.0).to_parquet(folder / "real.parquet"),
            "the target is constant",
        ),
        (
            lambda folder: rows(50, 0).assign(y=float("nan")).to_parquet(folder / "real.parquet"),
            "the target is missing in 50 of 50 rows",
        ),
        (
            lambda folder: (
                rows(50, 0)
                .rename(columns={"x": "p", "z": "q", "kind": "r"})
                .to_parquet(folder / "synthetic.parquet")
            ),
            "no column in common with the real dataset (kind, x, z)",
        ),
    ],
)
def test_bad_input_fails_with_its_place_and_writes_no_release(
    tmp_path: Path, instance: dg.DagsterInstance, spoil: Any, named: str
) -> None:
    options = write_inputs(tmp_path)
    spoil(tmp_path)
    result = run(options, instance)
    assert not result.success
    assert named in failure(result)
    assert "dataset '" in failure(result)
    assert not (latest(options) / "latest").exists()


def test_the_manifest_is_plain_json_that_names_no_path_of_the_machine(golden: Golden) -> None:
    text = (verify_release(latest(golden.options)).path / "manifest.json").read_text()
    assert Path(golden.options["output_root"]).parent.as_posix() not in text
    assert json.loads(text)["manifest_version"] == 2


@pytest.mark.slow
def test_mixes_of_one_name_under_two_prefixes_keep_apart(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    released = []
    for prefix in ("a", "b"):
        defs = build_synthmix_defs(**options, key_prefix=[prefix], seed=len(released))
        result = defs.resolve_job_def(f"{prefix}_demo_job").execute_in_process(instance=instance)
        assert result.success
        released.append(verify_release(Path(options["output_root"]) / prefix / "demo"))
    assert released[0].release_id != released[1].release_id


def test_an_output_that_links_out_of_its_root_is_refused(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "mixes").mkdir()
    (tmp_path / "mixes" / "demo").symlink_to(tmp_path / "elsewhere")
    result = run(options, instance)
    assert "lies outside it" in failure(result)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.slow
def test_assets_whose_rows_come_in_another_order_each_time_are_the_same_rows(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    loads = iter(range(100))

    class Warehouse(dg.ConfigurableIOManager):
        def handle_output(self, context: dg.OutputContext, obj: pd.DataFrame) -> None:
            obj.to_parquet(tmp_path / f"{context.asset_key.path[-1]}.parquet")

        def load_input(self, context: dg.InputContext) -> pd.DataFrame:
            path = tmp_path / f"{context.asset_key.path[-1]}.parquet"
            return pd.read_parquet(path).sample(frac=1, random_state=next(loads))

    @dg.asset(io_manager_key="warehouse")
    def table_real() -> pd.DataFrame:
        return rows(100, seed=0)

    @dg.asset(io_manager_key="warehouse")
    def table_generated() -> pd.DataFrame:
        return good()

    options = write_inputs(tmp_path / "data")
    options |= {"real": {"asset": "table_real"}, "synthetic": {"asset": "table_generated"}}
    defs = dg.Definitions.merge(
        build_synthmix_defs(**options),
        dg.Definitions(assets=[table_real, table_generated], resources={"warehouse": Warehouse()}),
    )
    job = defs.resolve_implicit_global_asset_job_def()
    first = job.execute_in_process(instance=instance)
    assert first.success
    before = verify_release(latest(options)).release_id
    assert job.execute_in_process(instance=instance).success
    assert verify_release(latest(options)).release_id == before
