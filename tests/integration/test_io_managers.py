"""Datasets that are assets of the project, under the I/O managers that projects have."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dagster._core.storage.db_io_manager import DbTypeHandler, TableSlice
from dagster_duckdb import DuckDBIOManager
from dagster_duckdb.io_manager import DuckDbClient
from dagster_polars import PolarsParquetIOManager
from scenario import bad, good, rows
from upath import UPath

from synthmix_dagster import SynthMixError, build_synthmix_defs, measure_distance, verify_release

REAL, SYNTHETIC = dg.AssetKey(["warehouse", "real"]), dg.AssetKey(["warehouse", "generated"])
MIX = ("distribution_distance", "optimal_ratio", "training_data")


class PandasParquet(dg.UPathIOManager):
    """The Parquet I/O manager that every other project has written for itself."""

    extension = ".parquet"

    def __init__(self, base: Path) -> None:
        super().__init__(base_path=UPath(base))

    def dump_to_path(self, context: dg.OutputContext, obj: Any, path: Any) -> None:
        assert isinstance(obj, pd.DataFrame)
        obj.to_parquet(path)

    def load_from_path(self, context: dg.InputContext, path: Any) -> pd.DataFrame:
        return pd.read_parquet(path)


class _DuckDBPandas(DbTypeHandler[pd.DataFrame]):
    """What `dagster-duckdb-pandas` does; its releases refuse to be installed beside pandas 3."""

    def handle_output(
        self, context: Any, table_slice: TableSlice, obj: Any, connection: Any
    ) -> None:
        table = f"{table_slice.schema}.{table_slice.table}"
        connection.execute(f"create table if not exists {table} as select * from obj limit 0")
        connection.execute(f"insert into {table} select * from obj")

    def load_input(self, context: Any, table_slice: TableSlice, connection: Any) -> pd.DataFrame:
        if table_slice.partition_dimensions and not context.asset_partition_keys:
            return pd.DataFrame()
        return connection.execute(DuckDbClient.get_select_statement(table_slice)).fetchdf()

    @property
    def supported_types(self) -> Sequence[type]:
        return [pd.DataFrame]


class DuckDBPandas(DuckDBIOManager):
    @staticmethod
    def type_handlers() -> Sequence[DbTypeHandler[Any]]:
        return [_DuckDBPandas()]

    @staticmethod
    def default_load_type() -> type:
        return pd.DataFrame


class PolarsParquet(PolarsParquetIOManager):
    """That of `dagster-polars`, whose last release passes an option that polars 2 has dropped."""

    def scan_df_from_path(self, path: Any, context: Any, partition_key: Any = None) -> pl.LazyFrame:
        return pl.scan_parquet(str(path))


Manager = Callable[[Path], Any]

MANAGERS: Mapping[str, tuple[Manager, type]] = {
    "filesystem pickle": (
        lambda folder: dg.FilesystemIOManager(base_dir=str(folder)),
        pd.DataFrame,
    ),
    "filesystem pickle of polars": (
        lambda folder: dg.FilesystemIOManager(base_dir=str(folder)),
        pl.DataFrame,
    ),
    "filesystem pickle of arrow": (
        lambda folder: dg.FilesystemIOManager(base_dir=str(folder)),
        pa.Table,
    ),
    "parquet": (lambda folder: PandasParquet(folder), pd.DataFrame),
    "duckdb": (lambda folder: DuckDBPandas(database=str(folder / "project.duckdb")), pd.DataFrame),
    "polars": (lambda folder: PolarsParquet(base_dir=str(folder)), pl.DataFrame),
}


def like(kind: type, frame: pd.DataFrame) -> Any:
    if kind is pl.DataFrame:
        return pl.from_pandas(frame)
    return pa.Table.from_pandas(frame, preserve_index=False) if kind is pa.Table else frame


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """What is stored by I/O managers is on disk all the same."""
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def project(
    kind: type, real: pd.DataFrame, synthetic: pd.DataFrame, **options: Any
) -> list[dg.AssetsDefinition]:
    """Two assets as a project has them."""

    @dg.asset(key=REAL, **options)
    def real_rows() -> kind:  # type: ignore[valid-type]
        return like(kind, real)

    @dg.asset(key=SYNTHETIC, **options)
    def generated_rows() -> kind:  # type: ignore[valid-type]
        return like(kind, synthetic)

    return [real_rows, generated_rows]


def settings(folder: Path, **options: Any) -> dict[str, Any]:
    return {
        "name": "demo",
        "real": {"asset": "warehouse/real"},
        "synthetic": {"asset": "warehouse/generated"},
        "target": "y",
        "task": "regression",
        "threshold": 0.5,
        "output_root": str(folder / "mixes"),
        "permutations": 9,
        "directions": 20,
        **options,
    }


def run(
    assets: Sequence[Any],
    options: Mapping[str, Any],
    instance: dg.DagsterInstance,
    io_manager: Any,
    *,
    resources: Mapping[str, Any] | None = None,
    **more: Any,
) -> dg.ExecuteInProcessResult:
    """One run, every value passing through its I/O manager."""
    defs = build_synthmix_defs(**options)
    return dg.materialize(
        [*assets, *(defs.assets or ()), *(defs.asset_checks or ())],
        instance=instance,
        resources={"io_manager": io_manager, **(resources or {})},
        raise_on_error=False,
        **more,
    )


def roles(*names: str) -> list[dg.AssetKey]:
    return [dg.AssetKey(["demo", name]) for name in names]


def said(result: dg.ExecuteInProcessResult) -> str:
    """What failed, and why."""
    failures = result.filter_events(lambda event: event.event_type_value == "STEP_FAILURE")
    return "\n".join(
        f"{event.step_key}: {event.step_failure_data.error_display_string}" for event in failures
    )


@pytest.mark.parametrize("name", MANAGERS)
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


@pytest.mark.parametrize("name", ["duckdb", "polars"])
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


@pytest.mark.parametrize("name", ["filesystem pickle", "parquet", "polars"])
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
    assert "its 2 partitions do not have the same columns" in said(result)


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
        assert "which of its rows belong to which partition of the mix cannot be told" in said(
            result
        )
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
    assert "cannot be told" in said(result)


class Shuffling:
    """A generator that learns: it draws rows of what it was fitted on, and moves them a little."""

    def fit(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def sample(self, count: int) -> pd.DataFrame:
        drawn = self.frame.sample(count, replace=True, random_state=7, ignore_index=True)
        for seed, name in enumerate(("x", "z", "y")):
            noise = rows(count, seed=seed)["x"] * 0.05
            drawn[name] = drawn[name] + noise
        return drawn


@pytest.mark.parametrize("name", ["parquet", "polars", "duckdb", "filesystem pickle of polars"])
def test_the_users_generator_is_fitted_on_the_generator_input(
    tmp_path: Path, instance: dg.DagsterInstance, name: str
) -> None:
    make, kind = MANAGERS[name]
    storage = tmp_path / "storage"
    storage.mkdir()
    fitted: list[pd.DataFrame] = []

    @dg.asset(key=SYNTHETIC, ins={"given": dg.AssetIn(["demo", "generator_input"])})
    def generated_rows(given: kind) -> kind:  # type: ignore[valid-type]
        assert type(given) is kind
        frame = given.to_pandas() if isinstance(given, pl.DataFrame) else given
        fitted.append(frame)
        generator = Shuffling()
        generator.fit(frame)
        return like(kind, generator.sample(400))

    real, _ = project(kind, rows(200, seed=0), good())
    options = settings(tmp_path, evaluation_share=0.25)
    result = run([real, generated_rows], options, instance, make(storage))
    assert result.success, said(result)
    release = verify_release(tmp_path / "mixes" / "demo")
    mixed = pq.read_table(release.path / "data").to_pandas()
    mixed = mixed[mixed["synthmix_source"] == "real"]
    # What it was fitted on is what is mixed; the rows that judge are in neither.
    assert set(fitted[0]["x"]) == set(mixed["x"]) < set(rows(200, seed=0)["x"])
    assert 20 <= 200 - len(fitted[0]) <= 80


def test_a_generator_input_that_no_manager_could_store_is_refused_at_definition_time(
    tmp_path: Path,
) -> None:
    options = settings(tmp_path, evaluation_share=0.25)
    with pytest.raises(SynthMixError, match="store one partition of an asset a run"):
        build_synthmix_defs(**options, op={"backfill_policy": {"type": "single_run"}})
    build_synthmix_defs(**options, op={"backfill_policy": {"type": "multi_run"}})


@pytest.mark.parametrize("source", ["asset", "path"])
def test_a_generator_resource_makes_the_synthetic_rows(
    tmp_path: Path, instance: dg.DagsterInstance, source: str
) -> None:
    rows(200, seed=0).to_parquet(tmp_path / "real.parquet")
    real, _ = project(pd.DataFrame, rows(200, seed=0), good())
    options = settings(
        tmp_path,
        real={"asset": "warehouse/real"}
        if source == "asset"
        else {"path": str(tmp_path / "real.parquet")},
        synthetic={"generator": "shuffling", "generator_rows": 300},
        evaluation_share=0.25,
    )
    manager = PandasParquet(tmp_path / "storage")
    generator = Shuffling()
    result = run(
        [real] if source == "asset" else [],
        options,
        instance,
        manager,
        resources={"shuffling": generator},
    )
    assert result.success, said(result)
    release = verify_release(tmp_path / "mixes" / "demo")
    assert release.manifest["inputs"]["synthetic"]["rows"] == 300
    assert 120 <= len(generator.frame) <= 180


def test_a_generator_that_fails_is_named_and_not_tried_again(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    class Broken(Shuffling):
        def sample(self, count: int) -> pd.DataFrame:
            raise RuntimeError("out of luck")

    real, _ = project(pd.DataFrame, rows(200, seed=0), good())
    options = settings(
        tmp_path,
        synthetic={"generator": "broken", "generator_rows": 300},
        op={"retry": {"max_retries": 2}},
    )
    result = run(
        [real],
        options,
        instance,
        PandasParquet(tmp_path / "storage"),
        resources={"broken": Broken()},
    )
    assert not result.success
    assert "the generator Broken failed (RuntimeError: out of luck)" in said(result)
    assert "resource 'broken'" in said(result)
    assert not result.filter_events(lambda e: e.event_type_value == "STEP_UP_FOR_RETRY")
