"""Datasets that are assets of the project, under the I/O managers that projects have."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scenario import bad, good, rows
from storage import (
    MANAGERS,
    MIX,
    REAL,
    SYNTHETIC,
    PandasParquet,
    like,
    project,
    roles,
    run,
    said,
    settings,
)

from synthmix_dagster import measure_distance, verify_release

#: Of a kind each: files of Dagster's own, and a database.
QUICK = ("filesystem pickle", "duckdb")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in MANAGERS],
)
def test_assets_of_the_project_are_mixed_in_a_later_run(
    tmp_path: Path, instance: dg.DagsterInstance, name: str
) -> None:
    make, kind = MANAGERS[name]
    manager = make(tmp_path)
    assets = project(kind, rows(100, seed=0), good())
    expected = measure_distance(
        rows(100, seed=0), good(), target="y", task="regression", permutations=9, directions=20
    )
    options = settings(tmp_path)
    made = run(assets, options, instance, manager, selection=[REAL, SYNTHETIC])
    assert made.success, said(made)
    mixed = run(assets, options, instance, manager, selection=roles(*MIX))
    assert mixed.success, said(mixed)
    release = verify_release(tmp_path / "mixes" / "demo")
    frame = pq.read_table(release.path / "data").to_pandas()
    evidence = release.manifest["evidence"]
    # Whatever stored them, they are the same rows, and so is what is found.
    assert evidence["distribution_distance"]["gap"] == expected.gap
    real = frame[frame["synthmix_source"] == "real"]
    pd.testing.assert_frame_equal(
        real[["x", "z", "kind", "y"]].sort_values("x", ignore_index=True),
        rows(100, seed=0).sort_values("x", ignore_index=True),
        check_dtype=False,
    )


@pytest.mark.parametrize("name", ["duckdb", pytest.param("polars", marks=pytest.mark.slow)])
def test_a_bad_asset_is_refused_in_this_run_and_the_next(
    tmp_path: Path, instance: dg.DagsterInstance, name: str
) -> None:
    make, kind = MANAGERS[name]
    manager, options = make(tmp_path), settings(tmp_path)
    assets = project(kind, rows(100, seed=0), bad())
    result = run(assets, options, instance, manager)
    assert not result.success
    failed = {c.check_name for c in result.get_asset_check_evaluations() if not c.passed}
    assert failed == {"wasserstein_gap"}
    alone = run(assets, options, instance, manager, selection=roles("training_data"))
    assert "release refused, the check 'wasserstein_gap' failed" in said(alone)
    assert not (tmp_path / "mixes" / "demo" / "latest").exists()


def test_external_assets_are_read_by_the_manager_they_name(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    """Nobody here materialises them: another system wrote the files."""
    lake = tmp_path / "lake" / "warehouse"
    lake.mkdir(parents=True)
    rows(100, seed=0).to_parquet(lake / "real.parquet")
    good().to_parquet(lake / "generated.parquet")
    external = [dg.AssetSpec(key).with_io_manager_key("lake") for key in (REAL, SYNTHETIC)]
    result = run(
        external,
        settings(tmp_path),
        instance,
        dg.FilesystemIOManager(base_dir=str(tmp_path / "unused")),
        resources={"lake": PandasParquet(tmp_path / "lake")},
    )
    assert result.success, said(result)
    release = verify_release(tmp_path / "mixes" / "demo")
    assert release.manifest["inputs"]["synthetic"]["rows"] == 400
    assert not (tmp_path / "unused").exists()


def partitioned(parts: Mapping[str, pd.DataFrame], kind: type = pd.DataFrame) -> Any:
    @dg.asset(
        key=SYNTHETIC,
        partitions_def=dg.StaticPartitionsDefinition(list(parts)),
    )
    def generated_rows(context: dg.AssetExecutionContext) -> kind:  # type: ignore[valid-type]
        return like(kind, parts[context.partition_key])

    return generated_rows


@pytest.mark.parametrize(
    "name",
    [
        "filesystem pickle",
        pytest.param("parquet", marks=pytest.mark.slow),
        pytest.param("polars", marks=pytest.mark.slow),
    ],
)
def test_all_partitions_of_an_asset_are_mixed_by_a_mix_without_partitions(
    tmp_path: Path, instance: dg.DagsterInstance, name: str
) -> None:
    make, kind = MANAGERS[name]
    manager = make(tmp_path / "storage")
    parts = {key: rows(150, seed=seed) for seed, key in enumerate("abc", start=1)}
    real, _ = project(kind, rows(100, seed=0), good())
    upstream, options = partitioned(parts, kind), settings(tmp_path)
    for key in parts:
        made = run(
            [real, upstream], options, instance, manager, selection=[SYNTHETIC], partition_key=key
        )
        assert made.success, said(made)
    result = run([real, upstream], options, instance, manager, selection=[REAL, *roles(*MIX)])
    assert result.success, said(result)
    inputs = verify_release(tmp_path / "mixes" / "demo").manifest["inputs"]
    assert inputs["synthetic"]["rows"] == 450
    assert inputs["real"]["rows"] == 100


def test_partitions_with_other_columns_are_named(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    manager = PandasParquet(tmp_path / "storage")
    text = rows(150, seed=2).astype({"z": str})
    upstream = partitioned({"a": rows(150, seed=1), "b": text})
    real, _ = project(pd.DataFrame, rows(100, seed=0), good())
    options = settings(tmp_path)
    for key in "ab":
        run([real, upstream], options, instance, manager, selection=[SYNTHETIC], partition_key=key)
    result = run([real, upstream], options, instance, manager, selection=[REAL, *roles(*MIX)])
    assert not result.success
    assert "the 2 partitions do not have the same columns" in said(result)


@pytest.mark.slow
def test_a_partition_mapping_says_which_partitions_belong_to_one_of_the_mix(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    """Each day is mixed with the rows generated on it and on the day before."""
    days = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-04")
    seeds = {"2026-01-01": 1, "2026-01-02": 2, "2026-01-03": 3}

    @dg.asset(key=SYNTHETIC, partitions_def=days)
    def generated_rows(context: dg.AssetExecutionContext) -> pd.DataFrame:
        seed = seeds[context.partition_key]
        return rows(100 * seed, seed=seed)

    real, _ = project(pd.DataFrame, rows(100, seed=0), good())
    options = settings(
        tmp_path,
        partitions_def=days,
        synthetic={
            "asset": "warehouse/generated",
            "partition_mapping": dg.TimeWindowPartitionMapping(start_offset=-1),
        },
    )
    manager = PandasParquet(tmp_path / "storage")
    assets = [real, generated_rows]
    assert run(assets, options, instance, manager, selection=[REAL]).success
    for day in seeds:
        made = run(assets, options, instance, manager, selection=[SYNTHETIC], partition_key=day)
        assert made.success, said(made)
    for day, expected in {"2026-01-02": 300, "2026-01-03": 500}.items():
        mixed = run(assets, options, instance, manager, selection=roles(*MIX), partition_key=day)
        assert mixed.success, said(mixed)
        release = verify_release(tmp_path / "mixes" / "demo" / "partitions" / day)
        assert release.manifest["inputs"]["synthetic"]["rows"] == expected


@pytest.mark.parametrize("filtered", [False, True])
def test_partitions_that_a_database_hands_on_as_one_frame_are_not_mixed_up(
    tmp_path: Path, instance: dg.DagsterInstance, filtered: bool
) -> None:
    """A run of several partitions: each gets its own rows, or none does."""
    parts = {"a": 100, "b": 150}
    both = dg.StaticPartitionsDefinition(list(parts))

    @dg.asset(key=SYNTHETIC, partitions_def=both, metadata={"partition_expr": "part"})
    def generated_rows(context: dg.AssetExecutionContext) -> pd.DataFrame:
        part = context.partition_key
        return rows(parts[part], seed=parts[part]).assign(part=part)

    real, _ = project(pd.DataFrame, rows(100, seed=0), good())
    synthetic = {"asset": "warehouse/generated", "columns": ["x", "z", "kind", "y"]}
    if filtered:
        synthetic["filters"] = [["part", "==", "{partition_key}"]]
    options = settings(
        tmp_path,
        partitions_def=both,
        synthetic=synthetic,
        op={"backfill_policy": {"type": "single_run"}},
    )
    manager, assets = MANAGERS["duckdb"][0](tmp_path), [real, generated_rows]
    assert run(assets, options, instance, manager, selection=[REAL]).success
    for key in parts:
        run(assets, options, instance, manager, selection=[SYNTHETIC], partition_key=key)
    between = {
        "dagster/asset_partition_range_start": "a",
        "dagster/asset_partition_range_end": "b",
    }
    result = run(assets, options, instance, manager, selection=roles(*MIX), tags=between)
    assert result.success is filtered, said(result)
    if not filtered:
        assert "all partitions arrived as one frame, so rows cannot be assigned" in said(result)
        assert not (tmp_path / "mixes").exists()
        return
    for key, count in parts.items():
        release = verify_release(tmp_path / "mixes" / "demo" / "partitions" / key)
        assert release.manifest["inputs"]["synthetic"]["rows"] == count


def test_overlapping_windows_are_not_mixed_up_in_one_run(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    days = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-04")

    @dg.asset(key=SYNTHETIC, partitions_def=days)
    def generated_rows(context: dg.AssetExecutionContext) -> pd.DataFrame:
        return good(100)

    real, _ = project(pd.DataFrame, rows(100, seed=0), good())
    mapping = dg.TimeWindowPartitionMapping(start_offset=-1)
    options = settings(
        tmp_path,
        partitions_def=days,
        synthetic={"asset": "warehouse/generated", "partition_mapping": mapping},
        op={"backfill_policy": {"type": "single_run"}},
    )
    manager = PandasParquet(tmp_path / "storage")
    assets = [real, generated_rows]
    assert run(assets, options, instance, manager, selection=[REAL]).success
    for day in ("2026-01-01", "2026-01-02", "2026-01-03"):
        run(assets, options, instance, manager, selection=[SYNTHETIC], partition_key=day)
    between = {
        "dagster/asset_partition_range_start": "2026-01-02",
        "dagster/asset_partition_range_end": "2026-01-03",
    }
    result = run(assets, options, instance, manager, selection=roles(*MIX), tags=between)
    assert "rows cannot be assigned to partitions" in said(result)
