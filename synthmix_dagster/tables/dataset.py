"""Where rows enter: files, folders and frames become one kind of object.

A `Dataset` has a name, a fingerprint of its content and, when it came from files, the place of
every row in them. Everything downstream asks it and nothing else. Rows of files stay there until
they are asked for (`tables.reading`).
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.tables.fingerprint import content_sha256
from synthmix_dagster.tables.reading import FORMATS, StoredRows, format_of, require_unique


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
    source : pyarrow.Table or StoredRows
        The rows, in memory or in files.
    fingerprint : str
        SHA-256 over the bytes of its files, or over its rows when it came from memory.
    files : tuple of SourceFile
        Where the rows came from, in the order of the rows; empty for rows from memory.
    """

    name: str
    source: pa.Table | StoredRows
    fingerprint: str
    files: tuple[SourceFile, ...] = ()

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
        return self.source.read() if isinstance(self.source, StoredRows) else self.source

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
            return _as_pandas(self.table)
        if isinstance(self.source, StoredRows):
            return _as_pandas(self.source.take(indices))
        return _as_pandas(self.source.take(pa.array(indices)))

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
        source = self.source if columns is None else self.source.select(list(columns))
        if isinstance(source, StoredRows):
            return map(_as_pandas, source.slices(rows))
        return (_as_pandas(source.slice(at, rows)) for at in range(0, self.rows, rows))


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
    require_unique(dataset.columns, name)
    return dataset


def _open_path(path: Path, name: str) -> Dataset:
    paths = _listed(path, name)
    kinds = {format_of(file) for file in paths}
    if len(kinds) > 1:
        raise DataError(
            f"the folder '{path}' holds files of more than one format ({', '.join(sorted(kinds))})",
            dataset=name,
            fix="Keep one format in a folder",
        )
    folder = path if path.is_dir() else path.parent
    rows = StoredRows.open(paths, name)
    files = tuple(
        SourceFile(file.path.relative_to(folder).as_posix(), file.rows, file.sha256)
        for file in rows.files
    )
    listing = "".join(f"{file.name}\0{file.sha256}\n" for file in files)
    digest = hashlib.sha256(listing.encode(errors="surrogateescape")).hexdigest()
    return Dataset(name, rows, digest, files)


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
            and format_of(file)
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


def _to_arrow(source: Any, name: str) -> pa.Table:
    if isinstance(source, pd.DataFrame):
        require_unique([str(column) for column in source.columns], name)
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


def _as_pandas(table: pa.Table) -> pd.DataFrame:
    fields = [
        pa.field(f.name, pa.float64()) if pa.types.is_decimal(f.type) else f for f in table.schema
    ]
    plain = table.cast(pa.schema(fields))
    return plain.to_pandas(date_as_object=False, ignore_metadata=True)
