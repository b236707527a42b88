"""Where rows enter: files, folders and frames become one kind of object.

A `Dataset` has a name, a fingerprint of its content and, when it came from files, the place of
every row in them. Everything downstream reads this object only. Rows of files stay there until
they are needed (`data.reading`).
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from synthmix_dagster.data.arrow_input import ArrowStream, to_arrow
from synthmix_dagster.data.filtering import filter_mask
from synthmix_dagster.data.fingerprint import content_sha256
from synthmix_dagster.data.lake_tables import open_table, table_kind
from synthmix_dagster.data.locations import find_files
from synthmix_dagster.data.options import TABLES, CsvOptions, FormatName, ReadOptions
from synthmix_dagster.data.plain_types import (
    notes_on_types,
    plain_schema,
    plain_table,
    ranges_of,
    require_usable,
    with_precision,
    without_precision,
)
from synthmix_dagster.data.reading import StoredRows
from synthmix_dagster.data.remote import RemoteRows, is_remote
from synthmix_dagster.data.store import Store, is_store
from synthmix_dagster.data.stored_files import require_unique
from synthmix_dagster.data.text_formats import UnreadableError
from synthmix_dagster.data.view import View
from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.redaction import cause_of, without_secrets

#: What a kernel finds in some rows.
Found = TypeVar("Found")


@dataclass(frozen=True)
class SourceFile:
    """One file of a dataset.

    Attributes
    ----------
    name : str
        Path relative to the dataset's folder, with forward slashes.
    rows : int
        Rows that meet the filters.
    sha256 : str
        Digest of the bytes.
    """

    name: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """Rows with a name and a fingerprint.

    Attributes
    ----------
    name : str
        What messages call it, such as ``real``.
    source : pyarrow.Table, StoredRows or RemoteRows
        The rows: in memory, in files, or on a cluster.
    fingerprint : str
        SHA-256 over the bytes of its files, or over its rows when it came from memory.
    files : tuple of SourceFile
        Where the rows came from, in the order of the rows; empty for rows from memory.
    notes : tuple of str
        What a reader should know of columns that were left out or changed.
    options : ReadOptions
        How it was read; of a table, with the version that was found.
    origin : mapping of str to object
        Of rows from a warehouse: connection and query, for a manifest.
    """

    name: str
    source: pa.Table | StoredRows | RemoteRows
    fingerprint: str
    files: tuple[SourceFile, ...] = ()
    notes: tuple[str, ...] = ()
    options: ReadOptions = field(default_factory=ReadOptions)
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.source.num_rows)

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [str(name) for name in self.source.column_names]

    @property
    def schema(self) -> pa.Schema:
        """Names and Arrow types of the columns."""
        return self.source.schema

    @property
    def table(self) -> pa.Table:
        """All rows in memory; read anew from the files at every call."""
        source = self.here
        return source.read() if isinstance(source, StoredRows) else source

    @property
    def here(self) -> pa.Table | StoredRows:
        """The rows, if they can be read here.

        Raises
        ------
        DataError
            They lie on a cluster.
        """
        if is_remote(self.source):
            raise DataError(
                "its rows are on a cluster, and this step would read them here",
                dataset=self.name,
                fix="Use the engine 'arrow' for this dataset, or a smaller dataset",
            )
        return self.source

    def select(self, columns: Sequence[str]) -> "Dataset":
        """The same rows with some of the columns; of files, the others are not read."""
        return replace(self, source=self.source.select(list(columns)))

    def frame(self, indices: Any = None) -> pd.DataFrame:
        """Return some or all rows for the numerics, as pandas.

        Parameters
        ----------
        indices : array-like of int, optional
            Positions to take, in that order. Of files, no more is held in memory than these rows
            and a part of a file.
        """
        if indices is None:
            return as_frame(self.table)
        return as_frame(self.taken(indices))

    def taken(self, positions: Any) -> pa.Table:
        """Rows at some positions, in that order."""
        source = self.here
        return source.take(positions if isinstance(source, StoredRows) else pa.array(positions))

    def tables(self) -> Iterator[pa.Table]:
        """All rows in order, a bounded number at a time, as Arrow."""
        source = self.here
        if isinstance(source, StoredRows):
            return (piece.table for piece in source.pieces())
        return iter([source])

    def over(self, kernel: Callable[[Iterable[pa.Table]], Found]) -> list[Found]:
        """What a kernel finds in all rows: once here, or once in every part on a cluster.

        Parameters
        ----------
        kernel : callable
            Of the tables of consecutive rows, in order. On a cluster it runs there, so that it can
            be pickled, and returns plain values, containers of them, and arrays.
        """
        if is_remote(self.source):
            return list(self.source.over(lambda parts: kernel(part.table for part in parts)))
        return [kernel(self.tables())]

    def batches(
        self, columns: Sequence[str] | None = None, rows: int = 65_536
    ) -> Iterator[pd.DataFrame]:
        """Pass all rows to the numerics in order, as `frame` would, some at a time.

        Parameters
        ----------
        columns : sequence of str, optional
            Columns to read, all by default.
        rows : int
            Rows of every batch but the last, whatever the files they lie in.

        Yields
        ------
        DataFrame
            Its index starts at 0. As with `frame`, whole numbers are integers in a batch that
            lacks none of them and floats in one that does, and a categorical column knows the
            levels of its own batch at least.

        Examples
        --------
        >>> dataset = open_dataset(pd.DataFrame({"x": range(5)}), "real")
        >>> [batch["x"].tolist() for batch in dataset.batches(rows=2)]
        [[0, 1], [2, 3], [4]]
        """
        if rows < 1:
            raise ConfigError(f"it is {rows}", option="rows", fix="Set it to 1 or more")
        source = self.here if columns is None else self.here.select(list(columns))
        if isinstance(source, StoredRows):
            return map(as_frame, source.slices(rows))
        return (as_frame(source.slice(at, rows)) for at in range(0, self.rows, rows))


#: What `open_dataset` opens: a path, a frame, an Arrow table, or a dataset that is open already.
IntoDataset: TypeAlias = str | Path | Store | pd.DataFrame | pa.Table | ArrowStream | Dataset


def open_dataset(
    source: IntoDataset,
    name: str = "dataset",
    *,
    columns: Sequence[str] | None = None,
    rename: Mapping[str, str] | None = None,
    filters: Sequence[Any] | None = None,
    csv: CsvOptions | Mapping[str, Any] | None = None,
    timezone: str | None = None,
    version: int | str | None = None,
    format: FormatName | None = None,  # noqa: A002
    key: Sequence[str] = (),
) -> Dataset:
    """Open files or a frame as a dataset.

    Parameters
    ----------
    source : path, URI, pandas.DataFrame, pyarrow.Table or any frame with the Arrow stream protocol
        A path is a file, a folder, also a Hive-partitioned one, or a glob of Parquet, Arrow, ORC,
        CSV or JSON; or the folder of a Delta or Iceberg table. A URI is one on an object store,
        such as ``s3://bucket/folder``.
    name : str
        What messages should call the dataset.
    columns : sequence of str, optional
        Columns to keep, by the names they have in `source`; all by default.
    rename : mapping of str to str, optional
        New names of columns.
    filters : sequence, optional
        Conditions such as ``("year", ">=", 2024)`` that every row must meet, by the names in
        `source`; a list of lists is several groups, of which a row must meet at least one.
    csv : mapping, optional
        The dialect of CSV files: ``delimiter``, ``decimal``, ``encoding``, ``quote``, ``header``,
        ``names``, ``skip_rows``, ``null_values``, ``types`` and ``time_formats``.
    timezone : str, optional
        Time zone of timestamps that have none.
    version : int or str, optional
        Version of a Delta table; snapshot, branch or tag of an Iceberg table; the newest by
        default.
    format : {"parquet", "arrow", "csv", "json", "orc", "delta", "iceberg"}, optional
        Format of the files; by default what their names end in, and what lies in the folder.
    key : sequence of str
        Columns that identify a row. An index that pandas stored is read only if it is one of them.

    Raises
    ------
    DataError
        It does not exist, has no rows, cannot be read, or its type is not supported.
    ConfigError
        A column does not exist, or a condition is not valid.

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [1, 2, 3], "note": ["a", "b", "c"]})
    >>> dataset = open_dataset(frame, "real", columns=["x"], filters=[("x", ">", 1)])
    >>> dataset.rows, dataset.columns
    (2, ['x'])
    """
    view = View.of(columns, rename, filters)
    options = ReadOptions.of(csv, timezone, version, format, key)
    if isinstance(source, Dataset):
        if view or options.said:
            raise ConfigError(
                f"dataset '{source.name}' is already open",
                option="columns, rename, filters, csv, timezone, version or format",
                fix="Pass these options to the call that opens it",
            )
        dataset = source
    elif isinstance(source, str | Path) or is_store(source):
        dataset = open_files(source, name, view, options)
    else:
        _require_files(options, name)
        raw, kinds = _in_plain_types(to_arrow(source, name), name, timezone)
        notes = tuple(notes_on_types(kinds, timezone))
        table = seen(raw, name, view)
        dataset = Dataset(name, table, content_sha256(table), notes=notes, options=options)
    require_filled(dataset, view, source if isinstance(source, str | Path) else "an empty frame")
    return dataset


def require_filled(dataset: Dataset, view: View, what: object) -> None:
    """Refuse a dataset without rows, or with two columns of one name."""
    if dataset.rows == 0:
        problem = "no rows match its filters" if view.filters else f"it has no rows ({what})"
        raise DataError(
            problem,
            dataset=dataset.name,
            fix="Check the process that writes it, and run that first",
        )
    require_unique(dataset.columns, dataset.name)


def open_files(
    path: str | Path | Store,
    name: str,
    view: View,
    options: ReadOptions,
    open_rows: Callable[..., StoredRows] = StoredRows.open,
) -> Dataset:
    """Open files or a table of files; `open_rows` looks at each of them."""
    found = table_kind(path, name)
    kind = options.format or found
    if found and kind not in TABLES:
        raise DataError(
            f"'{without_secrets(str(path))}' is a table, whose files also hold rows that were "
            "deleted",
            dataset=name,
            fix=f"Set 'format' to {found}, or leave it out",
        )
    if kind in TABLES:
        table = open_table(path, kind, options.version, name)
        options = replace(options, format=kind, version=table.version)  # type: ignore[arg-type]
        rows = open_rows(table.locations, name, view, options, table)
    elif options.version is not None:
        raise ConfigError(
            f"'{without_secrets(str(path))}' is not a Delta or Iceberg table",
            option="version",
            fix="Leave it out, or set 'format' to delta or iceberg",
        )
    else:
        rows = open_rows(find_files(path, name, kind), name, view, options)
    files = tuple(SourceFile(file.location.name, file.kept, file.sha256) for file in rows.files)
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{file.sha256}\n".encode(errors="surrogateescape"))
    if view:
        digest.update(json.dumps(view.to_dict(), sort_keys=True).encode())
    if options.said:
        digest.update(json.dumps(options.said, sort_keys=True).encode())
    return Dataset(name, rows, digest.hexdigest(), files, rows.notes, options)


def _require_files(options: ReadOptions, name: str) -> None:
    """Refuse options that only files and tables have."""
    for option in ("version", "format"):
        if getattr(options, option) is not None:
            raise ConfigError(
                f"dataset '{name}' is a frame, which has none",
                option=option,
                fix="Leave it out",
            )


def seen(table: pa.Table, name: str, view: View) -> pa.Table:
    """What a view hands out of a table in memory."""
    require_unique(table.column_names, name)
    names = view.handed_out(table.column_names, name)
    if view.filters:
        table = table.filter(filter_mask(view, table))
    return table.select(list(names.values())).rename_columns(list(names))


def _in_plain_types(raw: pa.Table, name: str, timezone: str | None) -> tuple[pa.Table, pa.Schema]:
    """The rows in plain types, and the types that they came in."""
    require_unique(raw.column_names, name)
    require_usable(raw.schema, name)
    try:
        ranges = ranges_of([raw], without_precision(raw.schema))
        kinds = with_precision(raw.schema, ranges)
        return plain_table(raw, kinds, plain_schema(kinds, timezone)), kinds
    except UnreadableError as error:
        raise DataError(str(error), dataset=name, fix=error.fix) from cause_of(error)


def as_frame(table: pa.Table) -> pd.DataFrame:
    """Rows as the numerics take them: decimals as numbers, dates as times.

    Whole numbers stay whole where a float would not hold them, beside missing values as well.
    """
    numbers = {place: _number(column) for place, column in enumerate(table.columns)}
    for place, column in numbers.items():
        table = table.set_column(place, table.column_names[place], column)
    frame = table.to_pandas(date_as_object=False, ignore_metadata=True)
    for place, column in numbers.items():
        if pa.types.is_integer(column.type) and column.null_count and _beyond_floats(column):
            unsigned = pa.types.is_unsigned_integer(column.type)
            values = column.fill_null(0).to_numpy().astype(np.uint64 if unsigned else np.int64)
            nullable = pd.arrays.IntegerArray(values, column.is_null().to_numpy())
            frame.isetitem(place, nullable)
    return frame


def _number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A decimal as an integer where it is one of 64 bits, as a float otherwise.

    Times of day lose what Python has no object for.
    """
    if column.type == pa.time64("ns"):
        return column.cast(pa.time64("us"), safe=False)
    if not pa.types.is_decimal(column.type):
        return column
    if column.type.scale <= 0:
        try:
            return column.cast(pa.int64())
        except pa.ArrowInvalid:
            pass
    return column.cast(pa.float64())


def _beyond_floats(column: pa.ChunkedArray) -> bool:
    ends = pc.min_max(column)
    return any(abs(end) > 2**53 for end in ends.as_py().values() if end is not None)
