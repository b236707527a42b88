"""Where rows enter: files, folders and frames become one kind of object.

A `Dataset` is a table with a name, a fingerprint of its content and, when it came from files, the
place of every row in them. Everything downstream asks it and nothing else.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from synthmix_dagster.errors import DataError
from synthmix_dagster.tables.fingerprint import content_sha256, file_sha256

FORMATS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".csv.gz": "csv"}


@dataclass(frozen=True)
class SourceFile:
    """One file of a dataset.

    Attributes
    ----------
    name : str
        Path relative to the dataset's folder, with forward slashes.
    rows : int
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
    table : pyarrow.Table
    fingerprint : str
        SHA-256 over the bytes of its files, or over its rows when it came from memory.
    files : tuple of SourceFile
        Where the rows came from, in the order of the rows; empty for rows from memory.
    """

    name: str
    table: pa.Table
    fingerprint: str
    files: tuple[SourceFile, ...] = ()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.table.num_rows)

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [str(name) for name in self.table.column_names]

    def select(self, columns: Sequence[str]) -> "Dataset":
        """The same rows with some of the columns."""
        return replace(self, table=self.table.select(list(columns)))

    def frame(self, indices: Any = None) -> pd.DataFrame:
        """Return some or all rows for the numerics, as pandas.

        Parameters
        ----------
        indices : array-like of int, optional
            Positions to take, in that order.
        """
        table = self.table if indices is None else self.table.take(pa.array(indices))
        fields = [
            pa.field(f.name, pa.float64()) if pa.types.is_decimal(f.type) else f
            for f in table.schema
        ]
        plain = table.cast(pa.schema(fields))
        return plain.to_pandas(date_as_object=False, ignore_metadata=True)


def open_dataset(source: Any, name: str) -> Dataset:
    """Open files or a frame as a dataset.

    Parameters
    ----------
    source : path, pandas.DataFrame, pyarrow.Table or any frame with the Arrow stream protocol
        A path is a Parquet or CSV file, or a folder of them.
    name : str
        What messages should call the dataset.

    Raises
    ------
    DataError
        Nothing is there, it has no rows, it cannot be read, or its type is not supported.

    Examples
    --------
    >>> open_dataset(pd.DataFrame({"x": [1, 2, 3]}), "real").rows
    3
    """
    if isinstance(source, Dataset):
        dataset = source
    elif isinstance(source, str | Path):
        dataset = _open_path(Path(source), name)
    else:
        table = _to_arrow(source, name)
        dataset = Dataset(name, table, content_sha256(table))
    if dataset.rows == 0:
        raise DataError(
            f"it has no rows ({source if isinstance(source, str | Path) else 'an empty frame'})",
            dataset=name,
            fix="Check what writes it, and run that first",
        )
    _require_unique(dataset.columns, name)
    return dataset


def _open_path(path: Path, name: str) -> Dataset:
    paths = _listed(path, name)
    kinds = {_format(file) for file in paths}
    if len(kinds) > 1:
        raise DataError(
            f"the folder '{path}' holds files of more than one format ({', '.join(sorted(kinds))})",
            dataset=name,
            fix="Keep one format in a folder",
        )
    folder = path if path.is_dir() else path.parent
    tables: list[pa.Table] = []
    files: list[SourceFile] = []
    for file in paths:
        digest = file_sha256(file)
        table = _read(file, name)
        _require_same_columns(table, tables, file, name)
        tables.append(table)
        files.append(SourceFile(file.relative_to(folder).as_posix(), table.num_rows, digest))
        if file_sha256(file) != digest:
            raise DataError(
                f"the file '{file}' changed while it was read",
                dataset=name,
                fix="Wait until it is written, then run again",
            )
    try:
        whole = pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(
            f"its files have columns of types that do not go together ({error})",
            dataset=name,
            fix="Write all of them with one schema",
        ) from error
    listing = "".join(f"{source.name}\0{source.sha256}\n" for source in files)
    digest = hashlib.sha256(listing.encode(errors="surrogateescape")).hexdigest()
    return Dataset(name, whole, digest, tuple(files))


def _require_same_columns(table: pa.Table, others: list[pa.Table], file: Path, name: str) -> None:
    _require_unique(table.column_names, name)
    if others and set(table.column_names) != set(others[0].column_names):
        odd = sorted(set(table.column_names) ^ set(others[0].column_names))
        raise DataError(
            f"the file '{file}' and the files before it do not share this column",
            dataset=name,
            column=odd[0],
            fix="Write all of them with one schema",
        )


def _listed(path: Path, name: str) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(
            f"there is no file or folder '{path}'",
            dataset=name,
            fix="Check the path, or run what writes it first",
        )
    found = sorted(
        (
            file
            for file in path.rglob("*")
            if file.is_file()
            and _format(file)
            and not any(part[0] in "._" for part in file.relative_to(path).parts)
        ),
        key=lambda file: file.relative_to(path).as_posix(),
    )
    for file in found:
        partitions = [part for part in file.relative_to(path).parent.parts if "=" in part]
        if partitions:
            raise DataError(
                f"the folder '{path}' is partitioned by '{partitions[0]}', which would be lost",
                dataset=name,
                fix="Write that column into the files, or pass the rows as a frame",
            )
    if not found:
        raise DataError(
            f"the folder '{path}' holds no file ending in {', '.join(FORMATS)}",
            dataset=name,
            fix="Check the path, or run what writes it first",
        )
    return found


def _format(path: Path) -> str:
    lowered = path.name.lower()
    return next((kind for ending, kind in FORMATS.items() if lowered.endswith(ending)), "")


def _read(path: Path, name: str) -> pa.Table:
    kind = _format(path)
    if not kind:
        raise DataError(
            f"the file '{path}' has an ending that is not known",
            dataset=name,
            fix=f"Use one of {', '.join(FORMATS)}",
        )
    try:
        if kind == "parquet":
            import pyarrow.parquet

            return pyarrow.parquet.read_table(path, partitioning=None)
        import pyarrow.csv

        # What is empty is missing, in text as in numbers; "NA" is text, for it may be Namibia.
        missing = pyarrow.csv.ConvertOptions(
            null_values=["", "NaN", "nan", "NULL", "null"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        table = pyarrow.csv.read_csv(path, convert_options=missing)
        for column, found in zip(table.column_names, table.schema.types, strict=True):
            if pa.types.is_binary(found):
                raise ValueError(f"column '{column}' is not UTF-8")
        return table
    except (ValueError, TypeError, OSError, pa.ArrowException) as error:
        raise DataError(
            f"the file '{path}' cannot be read as {kind} ({error})",
            dataset=name,
            fix="Write it again; it may be damaged or only half written",
        ) from error


def _to_arrow(source: Any, name: str) -> pa.Table:
    if isinstance(source, pd.DataFrame):
        _require_unique([str(column) for column in source.columns], name)
    try:
        if isinstance(source, pa.Table):
            return _without_views(source)
        if isinstance(source, pd.DataFrame):
            named = any(name is not None for name in source.index.names)
            rows = source.reset_index() if named else source
            return _without_views(pa.Table.from_pandas(rows, preserve_index=False))
        if hasattr(source, "__arrow_c_stream__"):
            return _without_views(pa.table(source))
    except (ValueError, TypeError, pa.ArrowException) as error:
        raise DataError(
            f"it cannot be read as an Arrow table ({error})",
            dataset=name,
            fix="Give every column one type",
        ) from error
    raise DataError(
        f"it is a {type(source).__name__}",
        dataset=name,
        fix="Pass a path, a pandas, polars or duckdb frame, or an Arrow table",
    )


def _without_views(table: pa.Table) -> pa.Table:
    """Text as polars hands it over, which Arrow itself cannot yet take rows of, as plain text."""

    def plain(kind: pa.DataType) -> pa.DataType:
        if pa.types.is_dictionary(kind):
            return plain(kind.value_type)
        if pa.types.is_string_view(kind):
            return pa.string()
        return pa.binary() if pa.types.is_binary_view(kind) else kind

    columns = []
    for column in table.columns:
        wanted = plain(column.type)
        if pa.types.is_dictionary(column.type) and column.type.value_type == wanted:
            wanted = column.type
        elif pa.types.is_dictionary(column.type):
            # Arrow cannot cast a dictionary of views: look its values up instead.
            chunks = [c.dictionary.cast(wanted).take(c.indices) for c in column.chunks]
            column = pa.chunked_array(chunks, type=wanted)
        columns.append(column if wanted == column.type else column.cast(wanted))
    return pa.table(columns, names=table.column_names)


def _require_unique(columns: Collection[str], name: str) -> None:
    seen: set[str] = set()
    for column in columns:
        if column in seen:
            raise DataError(
                "two columns have this name", dataset=name, column=column, fix="Rename one of them"
            )
        seen.add(column)
