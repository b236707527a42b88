"""I/O managers that projects have, and runs of a mix over assets under them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
from dagster._core.storage.db_io_manager import DbTypeHandler, TableSlice
from dagster_duckdb import DuckDBIOManager
from dagster_duckdb.io_manager import DuckDbClient
from dagster_polars import PolarsParquetIOManager
from upath import UPath

from synthmix_dagster import build_synthmix_defs

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
        "flat_curve": "rows",
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
        [*assets, *(defs.assets or ())],
        instance=instance,
        resources={**(defs.resources or {}), "io_manager": io_manager, **(resources or {})},
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
