"""Where rows on a cluster enter: files, tables of its catalogue and DataFrames."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synthmix_dagster.data.dataset import Dataset
from synthmix_dagster.data.options import CsvOptions, FormatName
from synthmix_dagster.data.store import Store


def open_spark_dataset(
    source: str | Path | Store | Any,
    name: str = "dataset",
    *,
    session: Any,
    columns: Sequence[str] | None = None,
    rename: Mapping[str, str] | None = None,
    filters: Sequence[Any] | None = None,
    csv: CsvOptions | Mapping[str, Any] | None = None,
    timezone: str | None = None,
    version: int | str | None = None,
    format: FormatName | None = None,  # noqa: A002
    key: Sequence[str] = (),
) -> Dataset:
    """Open files or a DataFrame as a dataset whose rows stay on the cluster.

    Files are read by executors with the readers of `open_dataset`, so that columns, types, filters,
    identities and the fingerprint are the same on both engines. Executors must reach the files
    under the same address.

    Parameters
    ----------
    source : path, URI, Store or pyspark.sql.DataFrame
        Of a table of the catalogue pass ``session.table("catalog.schema.name")``.
    name : str
        What messages should call the dataset.
    session : pyspark.sql.SparkSession
        Classic or Connect.
    columns, rename, filters, csv, timezone, version, format, key
        See `synthmix_dagster.data.dataset.open_dataset`; the last four of files only.
    """
    raise NotImplementedError
