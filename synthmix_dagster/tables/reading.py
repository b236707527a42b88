"""Rows that stay in their files until they are asked for, and then pass by a piece at a time.

Opening looks at every file once: its bytes for the fingerprint, its columns and the number of its
rows. Parquet writes the latter two down; of a CSV file all rows have to be read for them, but not
kept.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from synthmix_dagster.errors import DataError
from synthmix_dagster.tables.fingerprint import file_sha256

Ints = NDArray[np.int64]

FORMATS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".csv.gz": "csv"}

#: Most rows of a piece of a Parquet file, and bytes of one of a CSV file.
PIECE_ROWS = 65_536
CSV_BLOCK = 2**20


@dataclass(frozen=True)
class StoredFile:
    """One file, as it was when it was opened.

    Attributes
    ----------
    path : Path
        Where it lies; the same file elsewhere is equal.
    rows : int
    schema : pyarrow.Schema
    sha256 : str
        Digest of the bytes.
    state : tuple of int
        Size, time of the last change and inode, by which a later change is noticed.
    """

    path: Path = field(compare=False)
    rows: int
    schema: pa.Schema
    sha256: str
    state: tuple[int, ...] = field(compare=False)


@dataclass(frozen=True)
class StoredRows:
    """The rows of some files, in order. Has the verbs of an Arrow table that a dataset needs.

    Attributes
    ----------
    dataset : str
        What messages call the dataset.
    files : tuple of StoredFile
    schema : pyarrow.Schema
        Columns to read, in types that hold the values of every file.
    """

    dataset: str
    files: tuple[StoredFile, ...]
    schema: pa.Schema

    @classmethod
    def open(cls, paths: Sequence[Path], dataset: str) -> "StoredRows":
        """Look at files that have the same columns.

        Raises
        ------
        DataError
            A file cannot be read or has other columns, or types do not go together.
        """
        files: list[StoredFile] = []
        for path in paths:
            file = _open_file(path, dataset)
            _require_same_columns(file, files, dataset)
            files.append(file)
        try:
            schema = _promoted(files[0].schema.empty_table(), *(f.schema for f in files)).schema
            for file in files:
                # Whether 64-bit integers fit a float depends on their values.
                changed = [
                    f.name
                    for f in file.schema
                    if f.type != schema.field(f.name).type and not pa.types.is_null(f.type)
                ]
                if changed:
                    for _ in cls(dataset, (file,), schema).select(changed).pieces():
                        pass
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataError(
                f"its files have columns of types that do not go together ({error})",
                dataset=dataset,
                fix="Write all of them with one schema",
            ) from error
        return cls(dataset, tuple(files), schema)

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return sum(file.rows for file in self.files)

    @property
    def column_names(self) -> list[str]:
        """Names of the columns."""
        return list(self.schema.names)

    def select(self, columns: Sequence[str]) -> "StoredRows":
        """The same rows with some of the columns; the others are not read."""
        fields = [self.schema.field(column) for column in columns]
        return replace(self, schema=pa.schema(fields, self.schema.metadata))

    def read(self) -> pa.Table:
        """All rows."""
        pieces = [piece for _, piece in self.pieces()]
        return pa.concat_tables([self.schema.empty_table(), *pieces])

    def take(self, positions: Sequence[int] | Ints) -> pa.Table:
        """Rows at some positions, in that order. No more is held than these and one piece."""
        wanted, places = np.unique(np.asarray(positions, dtype=np.int64), return_inverse=True)
        taken = [self.schema.empty_table()]
        for first, piece in self.pieces(wanted=wanted):
            start, stop = np.searchsorted(wanted, (first, first + piece.num_rows))
            taken.append(piece.take(pa.array(wanted[start:stop] - first)))
        return pa.concat_tables(taken).take(pa.array(places))

    def slices(self, rows: int) -> Iterator[pa.Table]:
        """All rows, in tables of `rows` rows wherever files and their parts begin and end."""
        held = self.schema.empty_table()
        for _, piece in self.pieces(rows):
            held = pa.concat_tables([held, piece])
            while held.num_rows >= rows:
                yield held.slice(0, rows)
                held = held.slice(rows)
        if held.num_rows:
            yield held

    def pieces(
        self, rows: int = PIECE_ROWS, wanted: Ints | None = None
    ) -> Iterator[tuple[int, pa.Table]]:
        """Rows in order, and the position of the first row of each piece.

        Parameters
        ----------
        rows : int
            Most rows of a piece of a Parquet file.
        wanted : ndarray of int, optional
            Sorted positions; parts of files that hold none of them are skipped.
        """
        ends = accumulate(file.rows for file in self.files)
        for file, end in zip(self.files, ends, strict=True):
            first = end - file.rows
            if _holds(wanted, first, end):
                here = None if wanted is None else wanted - first
                for start, piece in self._read_file(file, rows, here):
                    yield first + start, _promoted(piece.select(self.schema.names), self.schema)

    def _read_file(
        self, file: StoredFile, rows: int, wanted: Ints | None
    ) -> Iterator[tuple[int, pa.Table]]:
        read = _parquet_pieces if format_of(file.path) == "parquet" else _csv_pieces
        with _naming(file.path, self.dataset):
            _require_unchanged(file.path, file.state, self.dataset)
            yield from read(file, self.schema.names, rows, wanted)
            _require_unchanged(file.path, file.state, self.dataset)


def format_of(path: Path) -> str:
    """Format by the ending of a file's name, or nothing.

    Examples
    --------
    >>> format_of(Path("in/ROWS.CSV.GZ"))
    'csv'
    """
    lowered = path.name.lower()
    return next((kind for ending, kind in FORMATS.items() if lowered.endswith(ending)), "")


def require_unique(columns: Sequence[str], dataset: str) -> None:
    """Refuse two columns of one name."""
    seen: set[str] = set()
    for column in columns:
        if column in seen:
            raise DataError(
                "two columns have this name",
                dataset=dataset,
                column=column,
                fix="Rename one of them",
            )
        seen.add(column)


def _open_file(path: Path, dataset: str) -> StoredFile:
    if not format_of(path):
        raise DataError(
            f"the file '{path}' has an ending that is not known",
            dataset=dataset,
            fix=f"Use one of {', '.join(FORMATS)}",
        )
    with _naming(path, dataset):
        state, digest = _state(path), file_sha256(path)
        schema, rows = (_look_at_parquet if format_of(path) == "parquet" else _look_at_csv)(path)
        _require_unchanged(path, state, dataset)
    return StoredFile(path, rows, schema, digest, state)


def _look_at_parquet(path: Path) -> tuple[pa.Schema, int]:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as opened:
        return opened.schema_arrow, opened.metadata.num_rows


def _parquet_pieces(
    file: StoredFile, columns: list[str], rows: int, wanted: Ints | None
) -> Iterator[tuple[int, pa.Table]]:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(file.path) as opened:
        sizes = [opened.metadata.row_group(i).num_rows for i in range(opened.num_row_groups)]
        for group, end in enumerate(accumulate(sizes)):
            first = end - sizes[group]
            if _holds(wanted, first, end):
                for batch in opened.iter_batches(rows, row_groups=[group], columns=columns):
                    yield first, pa.Table.from_batches([batch])
                    first += batch.num_rows


def _look_at_csv(path: Path) -> tuple[pa.Schema, int]:
    import pyarrow.csv

    try:
        with _csv_reader(path, None) as reader:
            schema, rows = reader.schema, sum(batch.num_rows for batch in reader)
    except pa.ArrowInvalid:
        # The types of the first block are the narrowest that hold it, so if they hold every other
        # block as well, they are those of the file. They do not: it takes the whole file at once.
        table = pyarrow.csv.read_csv(path, **_csv_options(None))
        schema, rows = table.schema, table.num_rows
    for column, found in zip(schema.names, schema.types, strict=True):
        if pa.types.is_binary(found):
            raise ValueError(f"column '{column}' is not UTF-8")
    return schema, rows


def _csv_pieces(
    file: StoredFile, columns: list[str], rows: int, wanted: Ints | None
) -> Iterator[tuple[int, pa.Table]]:
    first = 0
    with _csv_reader(file.path, pa.schema([file.schema.field(name) for name in columns])) as reader:
        for batch in reader:
            if _holds(wanted, first, first + batch.num_rows):
                yield first, pa.Table.from_batches([batch])
            first += batch.num_rows


def _csv_reader(path: Path, schema: pa.Schema | None) -> Any:
    import pyarrow.csv

    blocks = pyarrow.csv.ReadOptions(block_size=CSV_BLOCK)
    return pyarrow.csv.open_csv(path, read_options=blocks, **_csv_options(schema))


def _csv_options(schema: pa.Schema | None) -> dict[str, Any]:
    import pyarrow.csv

    return {
        # Otherwise a block may begin inside quotes, and a large file with such lines be refused.
        "parse_options": pyarrow.csv.ParseOptions(newlines_in_values=True),
        # What is empty is missing, in text as in numbers; "NA" is text, for it may be Namibia.
        "convert_options": pyarrow.csv.ConvertOptions(
            null_values=["", "NaN", "nan", "NULL", "null"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            column_types=schema,
            include_columns=None if schema is None else schema.names,
        ),
    }


def _promoted(table: pa.Table, *schemas: pa.Schema) -> pa.Table:
    """A table in types that hold the values of other schemas as well."""
    if all(table.schema.equals(schema) for schema in schemas):
        return table
    empty = [schema.empty_table() for schema in schemas]
    return pa.concat_tables([*empty, table], promote_options="permissive")


def _holds(wanted: Ints | None, start: int, stop: int) -> bool:
    """Whether any of the sorted positions lies between two others."""
    if wanted is None:
        return True
    before_start, before_stop = np.searchsorted(wanted, (start, stop))
    return bool(before_start < before_stop)


def _require_same_columns(file: StoredFile, others: Sequence[StoredFile], dataset: str) -> None:
    require_unique(file.schema.names, dataset)
    odd = sorted(set(file.schema.names) ^ set(others[0].schema.names)) if others else []
    if odd:
        raise DataError(
            f"the file '{file.path}' and the files before it do not share this column",
            dataset=dataset,
            column=odd[0],
            fix="Write all of them with one schema",
        )


def _state(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def _require_unchanged(path: Path, state: tuple[int, ...], dataset: str) -> None:
    if _state(path) != state:
        raise DataError(
            f"the file '{path}' changed while it was read",
            dataset=dataset,
            fix="Wait until it is written, then run again",
        )


@contextmanager
def _naming(path: Path, dataset: str) -> Iterator[None]:
    """Name the file in whatever its reader raises."""
    try:
        yield
    except (ValueError, TypeError, OSError, pa.ArrowException) as error:
        raise DataError(
            f"the file '{path}' cannot be read as {format_of(path)} ({error})",
            dataset=dataset,
            fix="Write it again; it may be damaged or only half written",
        ) from error
