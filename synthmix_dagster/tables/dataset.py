"""Where rows enter: files, folders and frames become one kind of object.

A `Dataset` is a table with a name, a fingerprint of its content and, when it came from files, the
place of every row in them. Everything downstream asks it and nothing else.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from synthmix_dagster.errors import DataError

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
        dataset = Dataset(name, table, content_fingerprint(table))
    if dataset.rows == 0:
        raise DataError(
            f"it has no rows ({source if isinstance(source, str | Path) else 'an empty frame'})",
            dataset=name,
            fix="Check what writes it, and run that first",
        )
    _require_unique(dataset.columns, name)
    return dataset


def content_fingerprint(table: pa.Table) -> str:
    """SHA-256 over schema and values, independent of chunks and of metadata.

    Examples
    --------
    >>> one = pa.table({"x": [1, 2]})
    >>> two = pa.concat_tables([one.slice(0, 1), one.slice(1, 1)])
    >>> content_fingerprint(one) == content_fingerprint(two)
    True
    """
    plain = table.replace_schema_metadata(None).combine_chunks()
    digest = _Digest()
    with pa.ipc.new_stream(pa.PythonFile(digest, mode="w"), plain.schema) as stream:
        stream.write_table(plain)
    return digest.sha256.hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class _Digest:
    """A file to write to that keeps only the digest of what was written."""

    closed = False

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""


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
    tables, files = [], []
    for file in paths:
        table = _read(file, name)
        tables.append(table)
        relative = file.relative_to(folder).as_posix()
        files.append(SourceFile(relative, table.num_rows, file_sha256(file)))
    try:
        whole = pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(
            f"its files have columns of types that do not go together ({error})",
            dataset=name,
            fix="Write all of them with one schema",
        ) from error
    listing = "".join(f"{source.name}\0{source.sha256}\n" for source in files)
    return Dataset(name, whole, hashlib.sha256(listing.encode()).hexdigest(), tuple(files))


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

        return pyarrow.csv.read_csv(path)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
        raise DataError(
            f"the file '{path}' cannot be read as {kind} ({error})",
            dataset=name,
            fix="Write it again; it may be damaged or only half written",
        ) from error


def _to_arrow(source: Any, name: str) -> pa.Table:
    if isinstance(source, pa.Table):
        return source
    try:
        if isinstance(source, pd.DataFrame):
            return pa.Table.from_pandas(source, preserve_index=False)
        if hasattr(source, "__arrow_c_stream__"):
            return pa.table(source)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"a column mixes types that one column cannot hold ({error})",
            dataset=name,
            fix="Give every column one type",
        ) from error
    raise DataError(
        f"it is a {type(source).__name__}",
        dataset=name,
        fix="Pass a path, a pandas, polars or duckdb frame, or an Arrow table",
    )


def _require_unique(columns: Collection[str], name: str) -> None:
    seen: set[str] = set()
    for column in columns:
        if column in seen:
            raise DataError(
                "two columns have this name", dataset=name, column=column, fix="Rename one of them"
            )
        seen.add(column)
