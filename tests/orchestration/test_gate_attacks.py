"""Ways round the gate that people took, or could take, by ordinary means in Dagster."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from mix_runs import check_of, failure, metadata_of, run
from scenario import bad, rows, write_inputs

from synthmix_dagster import load_release, open_dataset, verify_release
from synthmix_dagster.data.priority import sample_positions
from synthmix_dagster.release.signing import HmacKey

REASON = "ticket 418, agreed with the risk team"


def latest(tmp_path: Path) -> dict[str, Any]:
    return dict(verify_release(tmp_path / "mixes" / "demo").manifest)


def test_a_run_may_not_loosen_a_threshold_without_a_reason(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path, synthetic=bad())
    assert not run(options, instance).success
    assert run(options, instance, "optimal_ratio").success
    ops = {"training_data": {"threshold": 9.0}}
    assert "the check 'wasserstein_gap' failed" in failure(
        run(options, instance, "training_data", ops=ops)
    )
    ops["training_data"] |= {"release_anyway": REASON}
    assert run(options, instance, "training_data", ops=ops).success
    evidence = latest(tmp_path)["evidence"]
    assert evidence["waiver"]["reason"] == REASON
    assert not evidence["checks"]["wasserstein_gap"]["passed"]
    assert any("above the configured" in said for said in evidence["waiver"]["objections"])


def test_loosening_needs_a_reason_even_where_the_gap_passes_anyway(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    ops = {"training_data": {"threshold": 9.0}}
    result = run(options, instance, ops=ops)
    assert "sets 'threshold' to 9, above the configured" in failure(result)


def test_a_run_may_tighten_a_threshold_freely(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    options = {**write_inputs(tmp_path, synthetic=bad()), "threshold": 9.0}
    assert run(options, instance).success
    ops = {"training_data": {"threshold": 0.1}}
    refused = run(options, instance, "training_data", ops=ops)
    assert "the check 'wasserstein_gap' failed" in failure(refused)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
)
def test_a_measurement_on_other_terms_is_good_for_looking_only(
    seed: int, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = {**write_inputs(tmp_path), "threshold": 50.0}
    sample = {"sample_rows": 10, "seed": seed}
    result = run(options, instance, ops={"distribution_distance": sample})
    said = failure(result)
    assert "'distribution_distance' was computed with options of its run" in said
    assert "sample_rows: 10" in said
    assert not (tmp_path / "mixes" / "demo" / "latest").exists()
    ops = {"training_data": {"release_anyway": REASON}}
    assert run(options, instance, "training_data", ops=ops).success
    upstream = latest(tmp_path)["evidence"]["upstream_overrides"]["distribution_distance"]
    assert upstream["sample_rows"] == 10


def test_options_of_a_run_that_are_the_configured_ones_are_no_other_terms(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    assert run(options, instance, ops={"distribution_distance": {"seed": 0}}).success


def test_a_recommendation_on_other_terms_is_good_for_looking_only(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    result = run(options, instance, ops={"optimal_ratio": {"sample_rows": 12}})
    assert "'optimal_ratio' was computed with options of its run (sample_rows: 12)" in failure(
        result
    )


@pytest.mark.slow
def test_a_reason_is_kept_although_the_same_rows_were_released_before(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = {**write_inputs(tmp_path, synthetic=bad()), "threshold": 50.0}
    assert run(options, instance).success
    before = latest(tmp_path)
    strict = {**options, "threshold": 0.1}
    ops = {"training_data": {"release_anyway": REASON}}
    forced = run(strict, instance, "training_data", ops=ops)
    assert forced.success
    after = latest(tmp_path)
    assert after["release_id"] != before["release_id"]
    waiver = after["evidence"]["waiver"]
    assert (waiver["reason"], waiver["run"]) == (REASON, forced.run_id)
    assert waiver["by"]
    assert waiver["at"]
    assert "the check 'wasserstein_gap' failed" in waiver["objections"][0]
    assert [shard["sha256"] for shard in after["shards"]] == [
        shard["sha256"] for shard in before["shards"]
    ]
    tags = instance.get_run_by_id(forced.run_id).tags  # type: ignore[union-attr]
    assert tags["synthmix/release_anyway"] == REASON
    assert metadata_of(forced, "training_data")["synthmix/run_release_anyway"] == REASON
    # The release of before is as it was.
    kept = load_release(tmp_path / "mixes" / "demo" / "releases" / before["release_id"])
    assert dict(kept.manifest) == before


def test_other_evaluation_rows_make_a_recommendation_stale(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    judges = tmp_path / "evaluation.parquet"
    rows(60, seed=9).to_parquet(judges)
    options |= {"evaluation": {"path": str(judges)}}
    assert run(options, instance).success
    rows(60, seed=10).to_parquet(judges)
    said = failure(run(options, instance, "training_data"))
    assert "'optimal_ratio' was computed from different rows (evaluation)" in said


def records_of(tmp_path: Path) -> Path:
    return tmp_path / "mixes" / "demo" / "records" / "demo"


@pytest.mark.parametrize(
    "role", ["distribution_distance", pytest.param("optimal_ratio", marks=pytest.mark.slow)]
)
def test_a_record_that_was_edited_by_hand_is_refused(
    role: str, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    assert run(options, instance).success
    path = records_of(tmp_path) / f"{role}.json"
    record = json.loads(path.read_text())
    record["result"]["gap" if role == "distribution_distance" else "ratio"] = 0.0
    path.write_text(json.dumps(record))
    assert "it was altered after it was written" in failure(run(options, instance, "training_data"))


def test_a_recommendation_follows_the_distance_that_it_was_computed_from(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    assert run(options, instance).success
    other = run(
        options, instance, "distribution_distance", ops={"distribution_distance": {"seed": 5}}
    )
    assert other.success
    ops = {"training_data": {"release_anyway": REASON}}
    said = failure(run(options, instance, "training_data", ops=ops))
    assert "'optimal_ratio' was computed from another result of 'distribution_distance'" in said


@pytest.mark.slow
def test_a_ratio_of_a_run_is_told_beside_the_recommended_one(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    options = write_inputs(tmp_path)
    result = run(options, instance, ops={"training_data": {"ratio": 0.25}})
    assert result.success
    said = check_of(result, "mix_as_recommended").description or ""
    assert "as requested in the run config" in said
    assert "was recommended" in said
    assert "exactly as recommended" not in said


@pytest.mark.slow
def test_a_resource_signs_what_is_released(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    key = HmacKey(b"a secret of the pipeline")
    options = {**write_inputs(tmp_path), "sign": "signer"}
    assert run(options, instance, resources={"signer": key}).success
    verify_release(tmp_path / "mixes" / "demo", key.verify)
    # Nothing of the key is stored with what was signed, nor in the records.
    stored = [path.read_bytes() for path in (tmp_path / "mixes").rglob("*") if path.is_file()]
    assert not any(key.key in content for content in stored)


def test_garbage_placed_where_the_selection_takes_it_needs_a_reason(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    together = pd.concat([rows(500, seed=3, shift=4.0), rows(5_500, seed=4)], ignore_index=True)
    options = {**write_inputs(tmp_path, synthetic=together), "threshold": 50.0, "sample_rows": 400}
    rows(2_000, seed=0).to_parquet(tmp_path / "real.parquet")
    path = tmp_path / "synthetic.parquet"
    # The first rows of the public order: those that a selection by seed 0 takes.
    order = sample_positions(open_dataset(path), len(together), 0)
    moved = np.empty(len(together), dtype=int)
    moved[order] = np.arange(len(together))
    together.iloc[moved].to_parquet(path)
    ops: dict[str, Any] = {"training_data": {"ratio": 0.25}}
    said = failure(run(options, instance, ops=ops))
    assert "the check 'released_rows' failed. The 500 synthetic rows to be released" in said
    assert not (tmp_path / "mixes" / "demo" / "latest").exists()
    ops["training_data"] |= {"release_anyway": REASON}
    assert run(options, instance, "training_data", ops=ops).success
    evidence = latest(tmp_path)["evidence"]
    assert not evidence["checks"]["released_rows"]["passed"]
    assert any("'released_rows' failed" in said for said in evidence["waiver"]["objections"])
    # By another seed the rows are like those that were measured.
    ops = {"training_data": {"ratio": 0.25, "seed": 1}}
    assert run(options, instance, "training_data", ops=ops).success
    assert latest(tmp_path)["evidence"]["checks"]["released_rows"]["passed"]
