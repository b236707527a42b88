"""Where rows on a cluster enter: files, tables of its catalogue and DataFrames."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from synthmix_dagster.data.dataset import Dataset, open_files, require_filled
from synthmix_dagster.data.options import CsvOptions, FormatName, ReadOptions
from synthmix_dagster.data.plain_types import notes_on_types, plain_schema, usual_types
from synthmix_dagster.data.store import Store, is_store
from synthmix_dagster.data.stored_files import require_unique
from synthmix_dagster.data.view import View
from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.spark.files import cut, open_rows
from synthmix_dagster.spark.frames import FrameRows, quoted
from synthmix_dagster.spark.rows import asked


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

    Rows of a DataFrame have no order, so they go by `key` or by their content. The DataFrame is
    computed several times and must give the same rows each time: write what is random to a table
    first.

    Parameters
    ----------
    source : path, URI, Store or pyspark.sql.DataFrame
        Of a table of the catalogue pass ``session.table("catalog.schema.name")``.
    name : str
        What messages should call the dataset.
    session : pyspark.sql.SparkSession
        Classic or Connect.
    columns, rename, filters, csv, timezone, version, format, key
        See `synthmix_dagster.data.dataset.open_dataset`; of a DataFrame there is no `csv`,
        `version` or `format`.

    Raises
    ------
    DataError
        It does not exist, has no rows, cannot be read, or its type is not supported.
    ConfigError
        A column does not exist, or a condition is not valid.
    ClusterError
        The cluster fails.
    """
    view = View.of(columns, rename, filters)
    options = ReadOptions.of(csv, timezone, version, format, key)
    if isinstance(source, str | Path) or is_store(source):
        dataset = open_files(source, name, view, options, open_rows(session))
        require_filled(dataset, view, source if isinstance(source, str | Path) else source.uri)
        return Dataset(
            name,
            cut(session, dataset.source),  # type: ignore[arg-type]
            dataset.fingerprint,
            dataset.files,
            dataset.notes,
            dataset.options,
        )
    if not hasattr(source, "mapInArrow"):
        raise DataError(
            f"it is a {type(source).__name__}, whose rows are not on the cluster",
            dataset=name,
            fix="Pass a path, a URI or a Spark DataFrame, or write the rows to a file first",
        )
    dataset = _of_frame(source, name, session, view, options)
    require_filled(dataset, view, "an empty DataFrame")
    return dataset


def _of_frame(frame: Any, name: str, session: Any, view: View, options: ReadOptions) -> Dataset:
    for option in ("version", "format"):
        if getattr(options, option) is not None:
            raise ConfigError(
                f"dataset '{name}' is a DataFrame, which has none",
                option=option,
                fix="Leave it out",
            )
    require_unique(frame.columns, name)
    handed_out = view.handed_out(frame.columns, name)
    read = dict.fromkeys([*handed_out.values(), *view.filtered_columns])
    if len(read) < len(frame.columns):
        frame = frame.select([quoted(column) for column in read])
    raw = in_one_zone(usual_types(asked(session, lambda: frame.limit(0).toArrow()).schema))
    notes = tuple(notes_on_types(raw, options.timezone))
    plain = plain_schema(raw, options.timezone)
    view = View(tuple(handed_out.values()), view.rename, view.filters)
    rows, fingerprint = FrameRows(
        session, name, frame, raw, plain, view, tuple(handed_out)
    ).counted()
    return Dataset(name, rows, fingerprint, notes=notes, options=options)


def in_one_zone(schema: pa.Schema) -> pa.Schema:
    """Columns without the name of the session's time zone, which says nothing about the rows."""
    return pa.schema(
        [
            each.with_type(pa.timestamp(each.type.unit, "UTC")).with_nullable(True)
            if pa.types.is_timestamp(each.type) and each.type.tz is not None
            else each.with_nullable(True)
            for each in schema
        ]
    )
